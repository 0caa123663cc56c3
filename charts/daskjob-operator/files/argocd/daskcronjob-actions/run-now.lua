-- Any text other than that of the last request does.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["daskjob.io/run-now"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
