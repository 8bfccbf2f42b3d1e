{{/* Settings of the server as YAML, the same in both modes: by the names of `brood serve --help`, with underscores. */}}
{{- define "brood.settings" -}}
{{- with .Values.settings }}
{{ toYaml . }}
{{- end }}
http_port: 8000
grpc_port: 9000
metrics_port: 9464
metrics_dir: /tmp/brood/metrics
cache_dir: /tmp/brood/cache
shutdown_grace_s: {{ .Values.drainS }}
log_level: {{ .Values.logs.level }}
log_format: {{ .Values.logs.format }}
{{- if .Values.access.insecure }}
insecure: true
{{- else }}
keys_file: /etc/brood/keys/{{ .Values.access.keysSecret.key }}
{{- end }}
{{- if .Values.tls.secret }}
tls_cert: /etc/brood/tls/tls.crt
tls_key: /etc/brood/tls/tls.key
{{- end }}
{{- if .Values.tls.clientCaSecret }}
tls_client_ca: /etc/brood/client-ca/ca.crt
{{- end }}
{{- if eq .Values.models.source "claim" }}
models: /models
{{- else if eq .Values.models.source "url" }}
models: {{ .Values.models.url | quote }}
{{- end }}
{{- with .Values.models.names }}
names: {{ toJson . }}
{{- end }}
{{- with .Values.tracing.endpoint }}
traces_endpoint: {{ . | quote }}
traces_ratio: {{ $.Values.tracing.ratio }}
{{- end }}
{{- end -}}

{{/* The same as variables of the environment. */}}
{{- define "brood.environment" -}}
{{- range $key, $value := include "brood.settings" . | fromYaml }}
- name: BROOD_{{ upper $key }}
  value: {{ include "brood.variable" $value | quote }}
{{- end }}
{{- end -}}

{{- define "brood.variable" -}}
{{- if kindIs "slice" . -}}
{{ join "," . }}
{{- else if kindIs "map" . -}}
{{ toJson . }}
{{- else if kindIs "float64" . -}}
{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{/* The application for Ray Serve. */}}
{{- define "brood.serveConfig" -}}
proxy_location: Disabled
controller_options:
  runtime_env:
    env_vars: {RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS: "1"}
applications:
  - name: brood
    route_prefix: null
    import_path: brood.serve.app:build
    args:
      {{- include "brood.settings" . | nindent 6 }}
      host: "0.0.0.0"
      topology: split
      ingresses: {{ .Values.cluster.frontends.replicas }}
      ingress_resources: {brood-frontend: 1}
      generators:
        {{- range .Values.cluster.generators }}
        - name: {{ .name }}
          models: {{ toJson (.models | default list) }}
          device: {{ .device | default "cpu" }}
          threads: {{ include "brood.threads" (dict "cpu" .resources.limits.cpu "settings" $.Values.settings) }}
          resources: {brood-{{ .name }}: 1}
          surge_percent: 0  # a pod has place for one worker
          {{- with .gpus }}
          num_gpus: {{ . }}
          {{- end }}
          {{- with .autoscaling }}
          autoscaling:
            min: {{ .min | default 1 }}
            max: {{ .max }}
            {{- with .targetBacklogS }}
            target_backlog_s: {{ . }}
            {{- end }}
            {{- with .upDelayS }}
            up_delay_s: {{ . }}
            {{- end }}
            {{- with .downDelayS }}
            down_delay_s: {{ . }}
            {{- end }}
          {{- else }}
          replicas: {{ .replicas | default 1 }}
          {{- end }}
        {{- end }}
{{- end -}}
