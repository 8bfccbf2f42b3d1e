{{- /* A container of a Ray pod: the argument has "root" and "group". KubeRay adds the command. Its own probes would call
       pods unready that have no ports of callers, so they are given here. */}}
{{- define "brood.rayContainer" }}
{{- $root := .root }}
image: {{ include "brood.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
env:
  - name: RAY_USAGE_STATS_ENABLED
    value: "0"
  - name: RAY_worker_niceness
    value: "0"
  - name: RAY_memory_monitor_refresh_ms
    value: "0"
  - name: RAY_SERVE_FORCE_STOP_UNHEALTHY_REPLICAS
    value: "1"
  - name: OMP_NUM_THREADS
    value: {{ include "brood.cores" (dig "limits" "cpu" "1" .group.resources) | quote }}
{{- include "brood.urlAccess" $root }}
resources: {{ include "brood.resources" .group }}
securityContext: {{- include "brood.containerSecurity" $root | nindent 2 }}
volumeMounts: {{- include "brood.mounts" $root | nindent 2 }}
{{- end }}
{{- /* Ray's agent on each node; on the head it looks at the cluster's state as well. */}}
{{- define "brood.rayletProbe" }}
httpGet: {path: /api/healthz, port: 52365}
timeoutSeconds: 10
{{- end }}
