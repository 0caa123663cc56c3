-- Health of a DaskCronJob for Argo CD:
--   Healthy      its schedule is in force, or suspended
--   Degraded     it cannot make jobs: nobody understands its schedule or time zone, or the jobs are refused for good
--   Progressing  a job could not be made just now, or the operator has not seen the latest change yet
--
-- How its jobs end is their own health, not that of the schedule. A suspended one is Healthy, as Argo CD has it for a
-- CronJob (argo-cd#24428): Suspended would hold up every sync of the application, and it is what Git asks for.
--
-- The status is in kstatus format, with observedGeneration. Argo CD runs this without Lua's string and math libraries,
-- on whatever there is of the object: any field may be missing.

local function part(value, name)
  if type(value) == "table" then
    return value[name]
  end
  return nil
end

local function text(value)
  if type(value) == "string" and value ~= "" then
    return value
  end
  return nil
end

local metadata, status = part(obj, "metadata"), part(obj, "status")

local function condition(kind)
  local conditions = part(status, "conditions")
  if type(conditions) == "table" then
    for _, each in ipairs(conditions) do
      if part(each, "type") == kind then
        return each
      end
    end
  end
  return nil
end

local function holds(kind)
  return part(condition(kind), "status") == "True"
end

local function why(kind)
  local reason, message = text(part(condition(kind), "reason")), text(part(condition(kind), "message"))
  if reason and message then
    return reason .. ": " .. message
  end
  return reason or message or kind
end

local health = {}
local observed = part(status, "observedGeneration")

if observed == nil or observed == -1 then
  health.status = "Progressing"
  health.message = "Waiting for the operator to see the schedule"
elseif observed ~= part(metadata, "generation") then
  health.status = "Progressing"
  health.message = "Waiting for the operator to see the change of the schedule"
elseif holds("Stalled") then
  health.status = "Degraded"
  health.message = why("Stalled")
elseif holds("Ready") then
  health.status = "Healthy"
  health.message = why("Ready")
else
  health.status = "Progressing"
  health.message = condition("Ready") ~= nil and why("Ready") or "Waiting for the operator"
end
return health
