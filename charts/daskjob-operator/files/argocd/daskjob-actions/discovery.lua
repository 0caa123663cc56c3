-- What a user may do with a DaskJob in Argo CD: suspend, resume and cancel it before its end, run it again after it.

local ended = false
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if (condition.type == "Complete" or condition.type == "Failed") and condition.status == "True" then
      ended = true
    end
  end
end

local actions = {}
if ended then
  actions["rerun"] = { ["iconClass"] = "fa fa-fw fa-redo", ["displayName"] = "Run again" }
else
  if obj.spec.suspend then
    actions["resume"] = { ["iconClass"] = "fa fa-fw fa-play", ["displayName"] = "Resume" }
  else
    actions["suspend"] = { ["iconClass"] = "fa fa-fw fa-pause", ["displayName"] = "Suspend" }
  end
  if not obj.spec.cancel then
    actions["cancel"] = { ["iconClass"] = "fa fa-fw fa-stop", ["displayName"] = "Cancel" }
  end
end
return actions
