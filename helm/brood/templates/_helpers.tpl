{{/* Names and labels. */}}

{{- define "brood.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 47 | trimSuffix "-" -}}
{{- end -}}

{{- define "brood.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains (include "brood.name" .) .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "brood.name" .) -}}
{{- end -}}
{{- end -}}

{{/* Of objects; not of pods: a label with the chart's version there would start another Ray cluster with each chart. */}}
{{- define "brood.labels" -}}
{{ include "brood.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "brood.selector" -}}
app.kubernetes.io/name: {{ include "brood.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What all pods of this release have, and no others: KubeRay puts a name of its own on pods. */}}
{{- define "brood.everyPod" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: {{ include "brood.name" . }}
{{- end -}}

{{/* Which pods answer callers. */}}
{{- define "brood.serving" -}}
{{ include "brood.everyPod" . }}
app.kubernetes.io/component: {{ ternary "server" "frontend" (eq .Values.mode "single") }}
{{- end -}}

{{/* Which pods have an exporter: not the head of a Ray cluster, on which KubeRay calls another port "metrics". */}}
{{- define "brood.exporting" -}}
{{ include "brood.everyPod" . }}
exporter: brood
{{- end -}}

{{- define "brood.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "brood.serviceAccount" -}}
{{ include "brood.fullname" . }}
{{- end -}}

{{/* Threads of one graph call: the cores, shared by the calls that are made at once. */}}
{{- define "brood.threads" -}}
{{- max 1 (div (include "brood.cores" .cpu | int) (.settings.lanes | default 1 | int)) -}}
{{- end -}}

{{/* Whole cores of a CPU quantity, at least one: "1500m" is 2. */}}
{{- define "brood.cores" -}}
{{- $text := . | toString -}}
{{- if hasSuffix "m" $text -}}
{{- max 1 (ceil (divf (trimSuffix "m" $text | float64) 1000) | int) -}}
{{- else -}}
{{- max 1 (ceil ($text | float64) | int) -}}
{{- end -}}
{{- end -}}

{{- define "brood.testModel" -}}
{{- .Values.test.model | default (first (append .Values.models.names "glyphs-vae")) -}}
{{- end -}}
