-- Health of a DaskJob for Argo CD:
--   Healthy      the graph was computed
--   Degraded     the job has failed for good, or is being deleted before its end
--   Suspended    spec.suspend holds it back
--   Progressing  it is on its way, or the operator has not seen its latest change yet
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

local metadata, spec, status = part(obj, "metadata"), part(obj, "spec"), part(obj, "status")

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

-- A run that was asked for by the annotation, of which the status does not know yet: what it says is of the run before.
-- (Of a longer text the status keeps no copy to compare with.)
local function is_asked_to_run_again()
  local manager = part(spec, "managedBy")
  local asked = text(part(part(metadata, "annotations"), "daskjob.io/rerun"))
  if asked == nil or #asked > 4096 or (manager ~= nil and manager ~= "daskjob.io/operator") then
    return false
  end
  return asked ~= part(status, "rerun")
end

local function where_it_is()
  local phase = text(part(status, "phase")) or "Pending"
  local headline, details = phase, {}
  local attempt = part(status, "attempt")
  if type(attempt) == "number" and attempt > 1 then
    headline = headline .. " (attempt " .. attempt .. ")"
  end
  local tasks, workers = text(part(part(status, "progress"), "summary")), text(part(part(status, "cluster"), "summary"))
  if tasks then
    table.insert(details, tasks .. " tasks")
  end
  if workers then
    table.insert(details, workers .. " workers")
  end
  -- The phase's own name says nothing new.
  if condition("Ready") ~= nil and part(condition("Ready"), "reason") ~= phase then
    table.insert(details, why("Ready"))
  end
  if #details == 0 then
    return headline
  end
  return headline .. ": " .. table.concat(details, ", ")
end

local health = {}
local observed = part(status, "observedGeneration")
local ended = holds("Complete") or holds("Failed")

if observed == nil or observed == -1 then
  health.status = "Progressing"
  health.message = "Waiting for the operator to see the job"
elseif observed ~= part(metadata, "generation") then
  health.status = "Progressing"
  health.message = "Waiting for the operator to see the change of the job"
elseif ended and is_asked_to_run_again() then
  health.status = "Progressing"
  health.message = "Waiting for the operator to run the job again"
elseif holds("Failed") then
  health.status = "Degraded"
  health.message = why("Failed")
elseif holds("Complete") then
  health.status = "Healthy"
  health.message = why("Complete")
elseif part(metadata, "deletionTimestamp") ~= nil then
  -- Argo CD asks this of its hooks only, which it holds by a finalizer: no end will come any more.
  health.status = "Degraded"
  health.message = "Deleted before its end; it was " .. where_it_is()
elseif holds("Suspended") then
  health.status = "Suspended"
  health.message = why("Suspended")
else
  health.status = "Progressing"
  health.message = where_it_is()
end
return health
