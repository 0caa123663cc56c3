{{/*
Who may create what looks like an object of a job, and what the operator may change of a job: three policies, each with
its binding.

- `…-job-objects` holds objects with the label by which the operator watches, and what the Dask controller makes pods
  of. The API server selects these by the label and runs nothing for others, so it may fail closed.
- `…-job-names` holds the other labels, the labels that other controllers copy to pods, and names. It runs for every
  object of these kinds, system pods too: if it should ever fail, the API server passes over it.
- `…-job-edits` holds the operator's own account, wherever that may patch DaskJobs: RBAC cannot limit the right to the
  finalizer for which it is given. It runs for nobody else, so it may fail closed.

None concerns deletions, nor subresources (status, binding, eviction, ephemeral containers, scale), but for tokens.
*/}}
{{- define "daskjob.objectPolicies" -}}
{{- if not .Values.objectPolicy.enabled }}
{{- list | toYaml }}
{{- else }}
{{- if not (or .Values.daskController.enabled .Values.objectPolicy.exemptUsers) }}
{{- fail "objectPolicy: with daskController.enabled=false, an operator of dask-kubernetes that the chart does not install creates the pods of jobs: name its user in objectPolicy.exemptUsers, such as system:serviceaccount:NAMESPACE:NAME (kubectl get deployments --all-namespaces, spec.template.spec.serviceAccountName), or set objectPolicy.enabled=false" }}
{{- end }}
{{- $policies := list }}
{{- range $kind := list "objects" "names" "edits" }}
{{- $name := printf "%s-job-%s" (include "daskjob.fullname" $) $kind }}
{{- $metadata := dict "name" $name "labels" (include "daskjob.labels" $ | fromYaml) }}
{{- $spec := include (printf "daskjob.objectPolicy.%s" $kind) $ | fromYaml }}
{{- $binding := dict "policyName" $name "validationActions" (list "Deny") }}
{{- with include "daskjob.objectPolicy.namespaces" $ | fromYaml }}
{{- if ne $kind "edits" }}
{{- $_ := set $binding "matchResources" . }}
{{- end }}
{{- end }}
{{- $policies = append $policies (dict "apiVersion" "admissionregistration.k8s.io/v1" "kind" "ValidatingAdmissionPolicy" "metadata" $metadata "spec" $spec) }}
{{- $policies = append $policies (dict "apiVersion" "admissionregistration.k8s.io/v1" "kind" "ValidatingAdmissionPolicyBinding" "metadata" $metadata "spec" $binding) }}
{{- end }}
{{- toYaml $policies }}
{{- end }}
{{- end }}

{{/* Where no job is served, nothing need be held: system pods do not even meet the second policy. */}}
{{- define "daskjob.objectPolicy.namespaces" -}}
{{- $excluded := include "daskjob.excludeNamespaces" . | fromYamlArray }}
{{- if .Values.watchNamespaces }}
{{- include "daskjob.policy.namespaces" . }}
{{- else if $excluded }}
{{- include "daskjob.policy.namespacesThatAre" (list "NotIn" $excluded) }}
{{- end }}
{{- end }}

{{/* Who creates them: operator and Dask controller. Where the chart installs no Dask controller, dask-kubernetes makes a
Deployment of each pod, of which Kubernetes' own controllers make the rest. */}}
{{- define "daskjob.objectPolicy.users" -}}
{{- $users := list (include "daskjob.operator.user" .) }}
{{- if .Values.daskController.enabled }}
{{- $users = append $users (include "daskjob.daskController.user" .) }}
{{- else }}
{{- $account := "system:serviceaccount:kube-system" }}
{{- $users = concat $users (list (printf "%s:deployment-controller" $account) (printf "%s:replicaset-controller" $account) "system:kube-controller-manager") }}
{{- end }}
{{- concat $users .Values.objectPolicy.exemptUsers | uniq | toJson }}
{{- end }}

{{- define "daskjob.objectPolicy.message" -}}
is for objects that the operator of DaskJobs creates; leave it out, or have the user added to objectPolicy.exemptUsers of the chart
{{- end }}

{{- define "daskjob.objectPolicy.exempt" -}}
- name: not-exempt
  expression: >-
    !(request.userInfo.username in {{ include "daskjob.objectPolicy.users" . }})
    && !('system:masters' in request.userInfo.groups)
{{- end }}

{{- define "daskjob.objectPolicy.resources" -}}
- {apiGroups: [""], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [pods, configmaps, secrets, services]}
- {apiGroups: [apps], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [deployments, replicasets]}
- {apiGroups: [networking.k8s.io], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [networkpolicies]}
- {apiGroups: [kubernetes.dask.org], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [daskclusters, daskworkergroups, daskjobs]}
- {apiGroups: [daskjob.io], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [daskjobreports]}
{{- end }}

{{- define "daskjob.objectPolicy.objects" -}}
failurePolicy: Fail
matchConstraints:
  # Of an update, the API server selects by the labels before and after it.
  objectSelector: {matchLabels: {app.kubernetes.io/managed-by: daskjob-operator}}
  resourceRules: {{- include "daskjob.objectPolicy.resources" . | nindent 2 }}
matchConditions: {{- include "daskjob.objectPolicy.exempt" . | nindent 0 }}
variables:
- name: labels
  expression: "object.metadata.?labels.orValue({})"
- name: before
  expression: "oldObject == null ? {} : oldObject.metadata.?labels.orValue({})"
- name: changed
  expression: >-
    ['app.kubernetes.io/managed-by', 'daskjob.io/job', 'daskjob.io/job-uid', 'daskjob.io/attempt', 'daskjob.io/component',
    'daskjob.io/installation', 'dask.org/cluster-name', 'dask.org/component'
    ].filter(key, variables.labels[?key] != variables.before[?key])
validations:
- expression: "request.operation == 'UPDATE' && variables.changed.size() == 0"
  messageExpression: "'label ' + variables.changed[0] + ' {{ include "daskjob.objectPolicy.message" . }}'"
  message: "label app.kubernetes.io/managed-by=daskjob-operator {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
# Its pods are created by the Dask controller, whatever rights on pods its editor has.
- expression: >-
    request.operation != 'UPDATE' || !(request.resource.resource in ['daskclusters', 'daskworkergroups'])
    || object.?spec == oldObject.?spec
  messageExpression: "'a change of the spec of ' + request.resource.resource + ' ' + object.metadata.name + ', by which pods are made, {{ include "daskjob.objectPolicy.message" . }}'"
  message: "a change of this spec, by which pods are made, {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
{{- end }}

{{/* The labels that an object has its pods given, in CEL: by Kubernetes' controllers, by dask-kubernetes. */}}
{{- define "daskjob.objectPolicy.given" -}}
{{- $paths := list "template" "jobTemplate.?spec.?template" "worker" "scheduler" "cluster.?spec.?worker" "cluster.?spec.?scheduler" }}
{{- $labels := list }}
{{- range $paths }}
{{- $labels = append $labels (printf "%s.?spec.?%s.?metadata.?labels" $ .) }}
{{- end -}}
[{{ join ", " $labels }}].filter(each, each.hasValue()).map(each, each.value())
{{- end }}

{{- define "daskjob.objectPolicy.names" -}}
{{- /* An attempt's name ends so (api/attempt_names.py), and its objects' names with a word more. */}}
{{- $attempt := "-[0-9a-f]{5}-[0-9]+-[bcdfghjklmnpqrstvwxz2456789]{8}" }}
{{- $keys := "['daskjob.io/job', 'daskjob.io/job-uid', 'daskjob.io/attempt', 'daskjob.io/component', 'daskjob.io/installation']" }}
{{- /* By these, Services find schedulers, and the Dask controller workers. Others may have such labels for clusters of their own. */}}
{{- $found := "['dask.org/cluster-name', 'dask.org/workergroup-name']" }}
{{- $ours := printf "each[?key].orValue('').matches('%s(-[-a-z0-9]+)?$')" $attempt }}
failurePolicy: Ignore
matchConstraints:
  resourceRules:
  {{- include "daskjob.objectPolicy.resources" . | nindent 2 }}
  # Whose a cron job's jobs are: it counts and deletes what has it for its controller.
  - {apiGroups: [daskjob.io], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [daskjobs]}
  # Of these, only the labels that they give to pods.
  - {apiGroups: [""], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [replicationcontrollers]}
  - {apiGroups: [apps], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [statefulsets, daemonsets]}
  - {apiGroups: [batch], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [jobs, cronjobs]}
  # A token that is bound to a runner's pod writes the runner's report.
  - {apiGroups: [""], apiVersions: ["*"], operations: [CREATE], resources: [serviceaccounts/token]}
matchConditions:
{{- include "daskjob.objectPolicy.exempt" . | nindent 0 }}
- name: concerns-jobs
  expression: >-
    [object, oldObject].exists(each, each != null
    && (each.metadata.?labels.orValue({}).exists(key, key.startsWith('daskjob.io/') || key in {{ $found }})
    || each.?spec.?template.hasValue() || each.?spec.?jobTemplate.hasValue() || each.?spec.?worker.hasValue()
    || each.?spec.?cluster.hasValue()))
    || request.resource.resource == 'daskjobreports'
    || object.?spec.?boundObjectRef.?name.orValue('').matches('{{ $attempt }}-runner$')
    || object.metadata.?ownerReferences.orValue([]).exists(each, each.kind == 'DaskCronJob')
    || object.metadata.?name.orValue('').matches('{{ $attempt }}|^daskjob-runner-[0-9a-f]{10,64}$')
variables:
- name: labels
  expression: "object.metadata.?labels.orValue({})"
- name: before
  expression: "oldObject == null ? {} : oldObject.metadata.?labels.orValue({})"
- name: changed
  expression: >-
    {{ $keys }}.filter(key, variables.labels[?key] != variables.before[?key])
    + {{ $found }}.filter(key, variables.labels[?key] != variables.before[?key]
    && [variables.labels, variables.before].exists(each, {{ $ours }}))
- name: given
  expression: "{{ include "daskjob.objectPolicy.given" "object" }}"
- name: givenBefore
  expression: "oldObject == null ? [] : {{ include "daskjob.objectPolicy.given" "oldObject" }}"
- name: givenKeys
  expression: >-
    {{ $keys }}.filter(key, variables.given.exists(each, key in each) && !variables.givenBefore.exists(each, key in each))
    + ['app.kubernetes.io/managed-by'].filter(key, variables.given.exists(each, each[?key].orValue('') == 'daskjob-operator')
    && !variables.givenBefore.exists(each, each[?key].orValue('') == 'daskjob-operator'))
    + {{ $found }}.filter(key, variables.given.exists(each, {{ $ours }}) && !variables.givenBefore.exists(each, {{ $ours }}))
- name: cronJobs
  expression: >-
    object.metadata.?ownerReferences.orValue([]).filter(each, each.kind == 'DaskCronJob' && each.?controller.orValue(false)
    && !(oldObject == null ? [] : oldObject.metadata.?ownerReferences.orValue([])).exists(old, old == each))
validations:
- expression: "variables.changed.size() == 0"
  messageExpression: "'label ' + variables.changed[0] + ' {{ include "daskjob.objectPolicy.message" . }}'"
  message: "a label of daskjob.io {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
- expression: "variables.givenKeys.size() == 0"
  messageExpression: "'label ' + variables.givenKeys[0] + ' in a template of pods {{ include "daskjob.objectPolicy.message" . }}'"
  message: "a label of daskjob.io in a template of pods {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
# Of an update it is not judged: an object that has its name already keeps it.
- expression: >-
    request.operation == 'UPDATE' || (request.resource.resource != 'daskjobreports'
    && !(request.resource.resource in ['pods', 'secrets', 'services', 'networkpolicies', 'daskclusters', 'daskworkergroups']
    && object.metadata.name.matches('{{ $attempt }}(-[-a-z0-9]+)?$'))
    && !(request.resource.resource == 'configmaps' && object.metadata.name.matches('^daskjob-runner-[0-9a-f]{10,64}$')))
  messageExpression: "request.resource.resource + ' ' + object.metadata.name + ': this name {{ include "daskjob.objectPolicy.message" . }}'"
  message: "this name {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
- expression: "request.resource.resource != 'serviceaccounts' || 'system:nodes' in request.userInfo.groups"
  messageExpression: "'a token that is bound to ' + object.spec.boundObjectRef.name + ' and not asked for by a kubelet {{ include "daskjob.objectPolicy.message" . }}'"
  message: "a token that is bound to a runner's pod and not asked for by a kubelet {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
- expression: "request.resource.resource != 'daskjobs' || variables.cronJobs.size() == 0"
  messageExpression: "'the controller DaskCronJob ' + variables.cronJobs[0].name + ' {{ include "daskjob.objectPolicy.message" . }}'"
  message: "a DaskCronJob as the controller {{ include "daskjob.objectPolicy.message" . }}"
  reason: Forbidden
{{- end }}

{{/* The API server itself keeps managedFields and resourceVersion, whoever writes. Every other field has to stay as it is,
also one that this release does not know. */}}
{{- define "daskjob.objectPolicy.edits" -}}
failurePolicy: Fail
matchConstraints:
  resourceRules:
  - {apiGroups: [daskjob.io], apiVersions: ["*"], operations: [UPDATE], resources: [daskjobs]}
matchConditions:
- name: the-operator
  expression: "request.userInfo.username == '{{ include "daskjob.operator.user" . }}'"
variables:
- name: fields
  expression: >-
    object.filter(key, key != 'metadata' && object[?key] != oldObject[?key]) + oldObject.filter(key, !(key in object))
- name: apart
  expression: "['finalizers', 'managedFields', 'resourceVersion']"
- name: metadata
  expression: >-
    object.metadata.filter(key, !(key in variables.apart) && object.metadata[?key] != oldObject.metadata[?key])
    + oldObject.metadata.filter(key, !(key in variables.apart) && !(key in object.metadata))
- name: finalizers
  expression: >-
    [object, oldObject].map(each, each.metadata.?finalizers.orValue([]).filter(name, name != 'daskjob.io/results'))
- name: changed
  expression: >-
    variables.fields + variables.metadata.map(key, 'metadata.' + key)
    + (variables.finalizers[0] == variables.finalizers[1] ? [] : ['metadata.finalizers of others'])
validations:
- expression: "variables.changed.size() == 0"
  messageExpression: "'the operator of DaskJobs may set and take off its own finalizer, not change ' + variables.changed[0]"
  message: "the operator of DaskJobs may change nothing of a DaskJob but its own finalizer"
  reason: Forbidden
{{- end }}
