-- Any text other than that of the last run does. A job that was cancelled must not be cancelled again at once.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["daskjob.io/rerun"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
if obj.spec.cancel then
  obj.spec.cancel = false
end
return obj
