-- What a user may do with a DaskCronJob in Argo CD.

local actions = {}
actions["run-now"] = { ["iconClass"] = "fa fa-fw fa-plus", ["displayName"] = "Run now" }
if obj.spec.suspend then
  actions["resume"] = { ["iconClass"] = "fa fa-fw fa-play", ["displayName"] = "Resume" }
else
  actions["suspend"] = { ["iconClass"] = "fa fa-fw fa-pause", ["displayName"] = "Suspend" }
end
return actions
