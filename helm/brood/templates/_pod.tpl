{{/* Parts of pods that both modes share. */}}

{{/* Placement and rights; the argument has "root", "component", and "group" with a nodeSelector and tolerations. */}}
{{- define "brood.podSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "brood.serviceAccount" $root }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add $root.Values.drainS 30 }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $root.Values.pods.userId }}
  runAsGroup: {{ $root.Values.pods.userId }}
  fsGroup: {{ $root.Values.pods.userId }}
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $root.Values.pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with merge (dict) (.group.nodeSelector | default dict) $root.Values.pods.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with concat (.group.tolerations | default list) $root.Values.pods.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $root.Values.pods.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- if $root.Values.pods.spread }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "brood.everyPod" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "brood.podLabels" -}}
{{ include "brood.everyPod" .root }}
app.kubernetes.io/component: {{ .component }}
{{- if ne .component "head" }}
exporter: brood
{{- end }}
{{- with .root.Values.pods.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of each container: restricted, and nothing may be written but where a volume is. */}}
{{- define "brood.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "brood.resources" -}}
{{- $resources := deepCopy .resources -}}
{{- with .gpus -}}
{{- $_ := set $resources "limits" (merge (dict "nvidia.com/gpu" (toString .)) $resources.limits) -}}
{{- end -}}
{{ toJson $resources }}
{{- end -}}

{{- define "brood.ports" -}}
- {name: serve, containerPort: 8000}
- {name: serve-grpc, containerPort: 9000}
- {name: metrics, containerPort: 9464}
{{- end -}}

{{/* Whether callers are answered: by gRPC's own health service where the kubelet speaks it, which is without TLS. */}}
{{- define "brood.readiness" -}}
{{- if .Values.tls.clientCaSecret -}}
{tcpSocket: {port: serve-grpc}, periodSeconds: 5}
{{- else if .Values.tls.secret -}}
{httpGet: {path: /readyz, port: serve, scheme: HTTPS}, periodSeconds: 5}
{{- else -}}
{grpc: {port: 9000}, periodSeconds: 5, timeoutSeconds: 2}
{{- end -}}
{{- end -}}

{{- define "brood.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: shm, mountPath: /dev/shm}
{{- if .Values.access.keysSecret.name }}
- {name: keys, mountPath: /etc/brood/keys, readOnly: true}
{{- end }}
{{- if .Values.tls.secret }}
- {name: tls, mountPath: /etc/brood/tls, readOnly: true}
{{- end }}
{{- if .Values.tls.clientCaSecret }}
- {name: client-ca, mountPath: /etc/brood/client-ca, readOnly: true}
{{- end }}
{{- if eq .Values.models.source "claim" }}
- {name: models, mountPath: /models, readOnly: true}
{{- end }}
{{- end -}}

{{- define "brood.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.pods.tmpSize }}}
- name: shm
  emptyDir: {medium: Memory, sizeLimit: {{ add (.Values.cluster.objectStoreBytes | int64) 67108864 | quote }}}
{{- with .Values.access.keysSecret.name }}
- name: keys
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.tls.secret }}
- name: tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.tls.clientCaSecret }}
- name: client-ca
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if eq .Values.models.source "claim" }}
- name: models
  persistentVolumeClaim: {claimName: {{ .Values.models.claim }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "brood.urlAccess" -}}
{{- if and (eq .Values.models.source "url") .Values.models.urlSecret }}
envFrom:
  - secretRef: {name: {{ .Values.models.urlSecret }}}
{{- end }}
{{- end -}}
