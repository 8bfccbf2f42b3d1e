{{/* What cannot work together is refused with the path of the value, before anything is rendered. */}}
{{- define "brood.checks" -}}
{{- $name := include "brood.fullname" . -}}
{{- if and (not .Values.access.keysSecret.name) (not .Values.access.insecure) -}}
{{- fail "access.keysSecret.name: a Secret with the file that `brood keys create` makes is needed, or access.insecure: true to let everybody in" -}}
{{- end -}}
{{- if and .Values.access.keysSecret.name .Values.access.insecure -}}
{{- fail "access.insecure: true has no meaning with access.keysSecret.name; give one of them" -}}
{{- end -}}
{{- if and .Values.tls.clientCaSecret (not .Values.tls.secret) -}}
{{- fail "tls.clientCaSecret: callers can show certificates over TLS only; give tls.secret, too" -}}
{{- end -}}
{{- if and (eq .Values.models.source "claim") (not .Values.models.claim) -}}
{{- fail "models.claim: the name of a PersistentVolumeClaim is needed with models.source claim" -}}
{{- end -}}
{{- if and (eq .Values.models.source "url") (not .Values.models.url) -}}
{{- fail "models.url: an fsspec URL is needed with models.source url" -}}
{{- end -}}
{{- if and .Values.models.claim (ne .Values.models.source "claim") -}}
{{- fail (printf "models.claim: has no meaning with models.source %s" .Values.models.source) -}}
{{- end -}}
{{- if and .Values.models.url (ne .Values.models.source "url") -}}
{{- fail (printf "models.url: has no meaning with models.source %s" .Values.models.source) -}}
{{- end -}}
{{- if and .Values.models.urlSecret (ne .Values.models.source "url") -}}
{{- fail (printf "models.urlSecret: has no meaning with models.source %s" .Values.models.source) -}}
{{- end -}}
{{- if and (ne .Values.metrics.monitor "none") .Values.access.keysSecret.name (not .Values.metrics.keySecret.name) -}}
{{- fail "metrics.keySecret.name: with access.keysSecret scrapes need an API key of scope metrics" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.parentRefs: a route needs a gateway; give at least one" -}}
{{- end -}}
{{- if and .Values.ingress.tlsSecret (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: a certificate needs the names it is for" -}}
{{- end -}}
{{- range $key := list "host" "topology" "models" "names" "keys_file" "insecure" "tls_cert" "tls_key" "tls_client_ca" "http_port" "grpc_port" "metrics_port" "metrics_dir" "cache_dir" "generators" "ingresses" "address" "shutdown_grace_s" "log_level" "log_format" "log_file" "device" "threads" -}}
{{- if hasKey $.Values.settings $key -}}
{{- fail (printf "settings.%s: is set by the chart from its other values" $key) -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.mode "single" -}}
{{- include "brood.checkDevice" (dict "path" "single" "group" .Values.single) -}}
{{- else -}}
{{- include "brood.checkCluster" . -}}
{{- end -}}
{{- if gt (len $name) 47 -}}
{{- fail (printf "fullnameOverride: %q has %d characters, and 47 are allowed, for KubeRay adds to it; name the release shorter or give this" $name (len $name)) -}}
{{- end -}}
{{- end -}}

{{- define "brood.checkDevice" -}}
{{- $device := .group.device | default "cpu" -}}
{{- $gpus := .group.gpus | default 0 | int -}}
{{- if and (ne $device "cpu") (lt $gpus 1) -}}
{{- fail (printf "%s.gpus: at least 1 is needed with %s.device %s" .path .path $device) -}}
{{- end -}}
{{- if and (eq $device "cpu") (gt $gpus 0) -}}
{{- fail (printf "%s.device: cpu leaves the GPUs of %s.gpus idle; allowed: cuda, tensorrt" .path .path) -}}
{{- end -}}
{{- if not (dig "resources" "limits" "cpu" "" .group) -}}
{{- fail (printf "%s.resources.limits.cpu: is needed, for it says on how many threads graphs run" .path) -}}
{{- end -}}
{{- end -}}

{{- define "brood.checkCluster" -}}
{{- if not .Values.cluster.generators -}}
{{- fail "cluster.generators: at least one group of workers is needed with mode cluster" -}}
{{- end -}}
{{- if ne .Values.single.gpus 0.0 -}}
{{- fail "single.gpus: has no meaning with mode cluster; give gpus to the groups of cluster.generators" -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $index, $group := .Values.cluster.generators -}}
{{- $path := printf "cluster.generators[%d]" $index -}}
{{- if hasKey $seen $group.name -}}
{{- fail (printf "%s.name: another group is named %q, too" $path $group.name) -}}
{{- end -}}
{{- $_ := set $seen $group.name true -}}
{{- include "brood.checkDevice" (dict "path" $path "group" $group) -}}
{{- if and (hasKey $group "replicas") (hasKey $group "autoscaling") -}}
{{- fail (printf "%s.replicas: replicas and autoscaling exclude each other; give one of them" $path) -}}
{{- end -}}
{{- with $group.autoscaling -}}
{{- if gt (.min | default 1 | int) (.max | int) -}}
{{- fail (printf "%s.autoscaling.min: %d is more than max %d" $path (.min | default 1 | int) (.max | int)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.cluster.gcsFaultTolerance.passwordSecret.name (not .Values.cluster.gcsFaultTolerance.redisAddress) -}}
{{- fail "cluster.gcsFaultTolerance.redisAddress: a password needs a Redis that it is for" -}}
{{- end -}}
{{- end -}}
