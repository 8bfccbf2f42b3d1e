{{/* How a monitor scrapes. */}}
{{- define "brood.scrape" }}
port: metrics
path: /metrics
interval: {{ .Values.metrics.interval }}
{{- if .Values.tls.secret }}
scheme: https
tlsConfig: {{ toJson .Values.metrics.tlsConfig }}
{{- end }}
{{- with .Values.metrics.keySecret }}
{{- if .name }}
authorization:
  credentials: {name: {{ .name }}, key: {{ .key }}}
{{- end }}
{{- end }}
relabelings:
  # The rules and dashboards look for this job.
  - {targetLabel: job, replacement: brood}
{{- end }}
