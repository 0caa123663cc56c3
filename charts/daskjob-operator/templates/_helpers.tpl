{{- define "daskjob.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* A release called "daskjob" or "daskjob-operator" gives daskjob-operator. At most 46 characters: suffixes follow. */}}
{{- define "daskjob.fullname" -}}
{{- $name := include "daskjob.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" }}
{{- else if contains .Release.Name $name }}
{{- $name }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 46 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 46 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "daskjob.daskController.fullname" -}}
{{ include "daskjob.fullname" . }}-dask-controller
{{- end }}

{{- define "daskjob.operator.serviceAccountName" -}}
{{- if .Values.operator.serviceAccount.create }}
{{- .Values.operator.serviceAccount.name | default (include "daskjob.fullname" .) }}
{{- else }}
{{- .Values.operator.serviceAccount.name | required "operator.serviceAccount.name is needed with operator.serviceAccount.create=false" }}
{{- end }}
{{- end }}

{{- define "daskjob.daskController.serviceAccountName" -}}
{{- if .Values.daskController.serviceAccount.create }}
{{- .Values.daskController.serviceAccount.name | default (include "daskjob.daskController.fullname" .) }}
{{- else }}
{{- .Values.daskController.serviceAccount.name | required "daskController.serviceAccount.name is needed with daskController.serviceAccount.create=false" }}
{{- end }}
{{- end }}

{{/* Namespaces that are not served, as a list. With watchNamespaces none need be named: those are all that is served. */}}
{{- define "daskjob.excludeNamespaces" -}}
{{- $names := list }}
{{- if not .Values.watchNamespaces }}
{{- range .Values.excludeNamespaces }}
{{- $names = append $names (tpl . $) }}
{{- end }}
{{- end }}
{{- uniq $names | toYaml }}
{{- end }}

{{/* The users that the two processes are to the API server. */}}
{{- define "daskjob.operator.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "daskjob.operator.serviceAccountName" . }}
{{- end }}

{{- define "daskjob.daskController.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "daskjob.daskController.serviceAccountName" . }}
{{- end }}

{{/* Name of the report policy and of its binding; empty if there is none. */}}
{{- define "daskjob.policyName" -}}
{{- if .Values.reportPolicy.name }}
{{- .Values.reportPolicy.name }}
{{- else if .Values.reportPolicy.enabled }}
{{- include "daskjob.fullname" . }}-report-writers
{{- end }}
{{- end }}

{{/* Not `app.kubernetes.io/managed-by: daskjob-operator`: that marks the objects of jobs. */}}
{{- define "daskjob.labels" -}}
{{ include "daskjob.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: daskjob
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{- define "daskjob.selectorLabels" -}}
app.kubernetes.io/name: {{ include "daskjob.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "daskjob.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* Environment that operator and Dask controller share. */}}
{{- define "daskjob.commonEnv" -}}
- {name: DASKJOB_NAMESPACES, value: {{ join "," .Values.watchNamespaces | quote }}}
- {name: DASKJOB_EXCLUDE_NAMESPACES, value: {{ include "daskjob.excludeNamespaces" . | fromYamlArray | join "," | quote }}}
- {name: DASKJOB_HEALTH_PORT, value: "8080"}
- {name: DASKJOB_LOG_FORMAT, value: {{ .Values.log.format | quote }}}
- {name: DASKJOB_LOG_LEVEL, value: {{ .Values.log.level | quote }}}
{{- end }}

{{/* What the two containers have in common, after their ports. /healthz fails when only a new start helps, /readyz
also while something is amiss that passes. */}}
{{- define "daskjob.containerRest" -}}
startupProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* Rules of a NetworkPolicy's egress: to name servers, and to the API server. */}}
{{- define "daskjob.egress.names" -}}
- ports:
  {{- range .Values.networkPolicy.egress.dnsPorts }}
  - {port: {{ . }}, protocol: UDP}
  - {port: {{ . }}, protocol: TCP}
  {{- end }}
  {{- with .Values.networkPolicy.egress.dns }}
  to: {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "daskjob.egress.apiServer" -}}
- ports:
  {{- range .Values.networkPolicy.egress.apiServerPorts }}
  - {port: {{ . }}, protocol: TCP}
  {{- end }}
  {{- with .Values.networkPolicy.egress.apiServer }}
  to: {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* A CRD out of a file, with `keep` as Helm's resource policy. Takes a list: context, file, keep. */}}
{{- define "daskjob.crd" -}}
{{- $root := index . 0 }}
{{- $crd := $root.Files.Get (index . 1) | fromYaml }}
{{- $annotations := dict }}
{{- if index . 2 }}
{{- $annotations = dict "helm.sh/resource-policy" "keep" }}
{{- end }}
{{- $metadata := dict "labels" (include "daskjob.labels" $root | fromYaml) "annotations" $annotations }}
{{- toYaml (mergeOverwrite $crd (dict "metadata" (mergeOverwrite $crd.metadata $metadata))) }}
{{- end }}

{{/* Classes of namespaces, as the operator reads them: a,b;c; */}}
{{- define "daskjob.namespaceClasses" -}}
{{- $classes := list }}
{{- range .Values.limits.namespaceClasses }}
{{- $classes = append $classes (join "," (.namespaces | default list)) }}
{{- end }}
{{- join ";" $classes }}
{{- end }}

{{/* Names of Secrets, as the operator reads them: a,b */}}
{{- define "daskjob.jobImagePullSecrets" -}}
{{- $names := list }}
{{- range .Values.job.imagePullSecrets }}
{{- $names = append $names .name }}
{{- end }}
{{- join "," $names }}
{{- end }}

{{/* The store of results of jobs that name none, as JSON; empty: there is none. */}}
{{- define "daskjob.resultStore" -}}
{{- with .Values.job.resultStore }}
{{- if .url }}
{{- $secret := ternary (dict "secretRef" (dict "name" .secretName)) (dict) (ne .secretName "") }}
{{- merge (dict "url" .url "options" .options) $secret | toJson }}
{{- end }}
{{- end }}
{{- end -}}
