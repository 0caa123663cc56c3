{{/* A ValidatingAdmissionPolicy and its binding, each the whole manifest, as a list in YAML: the cluster gets them, and
the operator compares with them what is in force. Every object is made here once. */}}

{{/* Limits a binding to the watched namespaces: another release may serve others, under its own account. */}}
{{- define "daskjob.policy.namespaces" -}}
{{- with .Values.watchNamespaces }}
{{- include "daskjob.policy.namespacesThatAre" (list "In" .) }}
{{- end }}
{{- end }}

{{/* A binding's matchResources. Takes a list: operator, names of namespaces. */}}
{{- define "daskjob.policy.namespacesThatAre" -}}
{{- $expression := dict "key" "kubernetes.io/metadata.name" "operator" (index . 0) "values" (index . 1) }}
{{- dict "namespaceSelector" (dict "matchExpressions" (list $expression)) | toYaml }}
{{- end }}

{{- define "daskjob.reportPolicy" -}}
{{- $account := include "daskjob.operator.user" . }}
{{- $metadata := dict "name" (include "daskjob.policyName" .) "labels" (include "daskjob.labels" . | fromYaml) }}
{{- $file := .Files.Get "files/crds/report-policy.yaml" | replace "system:serviceaccount:daskjob-system:daskjob-operator" $account }}
{{- $documents := list }}
{{- range splitList "\n---\n" $file }}
{{- $document := fromYaml . }}
{{- $_ := set $document "metadata" $metadata }}
{{- if eq $document.kind "ValidatingAdmissionPolicyBinding" }}
{{- $_ := set $document.spec "policyName" $metadata.name }}
{{- with include "daskjob.policy.namespaces" $ | fromYaml }}
{{- $_ := set $document.spec "matchResources" . }}
{{- end }}
{{- end }}
{{- $documents = append $documents $document }}
{{- end }}
{{- toYaml $documents }}
{{- end }}

{{/* The names of all policies that the operator compares. */}}
{{- define "daskjob.policyNames" -}}
{{- $names := compact (list (include "daskjob.policyName" .)) }}
{{- range include "daskjob.objectPolicies" . | fromYamlArray }}
{{- $names = append $names .metadata.name }}
{{- end }}
{{- uniq $names | toYaml }}
{{- end }}
