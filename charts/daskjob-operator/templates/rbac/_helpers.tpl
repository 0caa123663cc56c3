{{/*
A set of rights everywhere, or in each watched namespace: ClusterRole and ClusterRoleBinding, or Roles and RoleBindings.
Takes a dict: root, name, component, rules (name of a template), subjects (name of a template that is given a dict of
root and namespace, the latter empty for everywhere).
*/}}
{{- define "daskjob.grant" -}}
{{- $root := .root }}
{{- $grant := . }}
{{- range $root.Values.watchNamespaces | default (list "") }}
{{- $prefix := ternary "" "Cluster" (ne . "") }}
{{- $metadata := dict "name" $grant.name "labels" (merge (dict "app.kubernetes.io/component" $grant.component) (include "daskjob.labels" $root | fromYaml)) }}
{{- if . }}{{ $_ := set $metadata "namespace" . }}{{ end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}Role
metadata: {{- toYaml $metadata | nindent 2 }}
rules: {{- include $grant.rules $root | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}RoleBinding
metadata: {{- toYaml $metadata | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ $prefix }}Role, name: {{ $grant.name }}}
subjects: {{- include $grant.subjects (dict "root" $root "namespace" .) | nindent 2 }}
{{- end }}
{{- end }}

{{- define "daskjob.operator.subjects" -}}
- {kind: ServiceAccount, name: {{ include "daskjob.operator.serviceAccountName" .root }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}

{{- define "daskjob.daskController.subjects" -}}
- {kind: ServiceAccount, name: {{ include "daskjob.daskController.serviceAccountName" .root }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}

{{/* In a namespace, the accounts that runners may have; everywhere, a binding can name no account in all namespaces. */}}
{{- define "daskjob.runner.subjects" -}}
{{- $accounts := .root.Values.job.serviceAccounts }}
{{- if and .namespace (not (has "*" $accounts)) }}
{{- range concat (list "daskjob-runner") $accounts | uniq }}
- {kind: ServiceAccount, name: {{ quote . }}, namespace: {{ $.namespace }}}
{{- end }}
{{- else }}
- apiGroup: rbac.authorization.k8s.io
  kind: Group
  name: system:serviceaccounts{{ if .namespace }}:{{ .namespace }}{{ end }}
{{- end }}
{{- end }}
