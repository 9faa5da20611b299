{{- define "crossway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Short enough that what is put behind it still is a name. */ -}}
{{- define "crossway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "crossway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "crossway.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "crossway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "crossway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* The pods that serve, and not those that check. */ -}}
{{- define "crossway.selector" -}}
app.kubernetes.io/name: {{ include "crossway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "crossway.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "crossway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "crossway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* The config as the gateway reads it: what the values say, and what the chart has to know. */ -}}
{{- define "crossway.config" -}}
{{- $name := include "crossway.fullname" . -}}
{{- $space := .Release.Namespace -}}
{{- $hosts := list $name (printf "%s.%s" $name $space) (printf "%s.%s.svc" $name $space) (printf "%s.%s.svc.%s" $name $space .Values.clusterDomain) -}}
{{- if .Values.ingress.enabled -}}
{{- $hosts = append $hosts .Values.ingress.host -}}
{{- end -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "listen" (printf "%s:%d" .Values.address (int .Values.service.port)) -}}
{{- $_ := set $config "allow_hosts" (concat $hosts (default list $config.allow_hosts) | uniq) -}}
{{- $operations := dict "listen" (printf "%s:%d" .Values.address (int .Values.operations.port)) -}}
{{- if .Values.adminKey.secret -}}
{{- $_ := set $operations "admin_key" "file:/run/secrets/crossway/admin-key" -}}
{{- end -}}
{{- $_ := set $config "operations" $operations -}}
{{- $keys := list -}}
{{- range .Values.sessionKeys.keys -}}
{{- $keys = append $keys (printf "file:/run/secrets/crossway/session-keys/%s" .) -}}
{{- end -}}
{{- $_ := set $config "session_keys" $keys -}}
{{- $limits := merge (dict "drain" (printf "%ds" (int .Values.drain))) (default dict $config.limits) -}}
{{- $_ := set $config "limits" $limits -}}
{{- if not $config.log -}}
{{- $_ := set $config "log" (dict "filter" "info" "format" "json") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* What rolls the pods when it changes: all of the config, or what is read at the start alone (docs/config.md, Reload). */ -}}
{{- define "crossway.checksum" -}}
{{- $config := fromYaml (include "crossway.config" .) -}}
{{- if .Values.reload -}}
{{- $config = pick $config "listen" "allow_hosts" "allow_origins" "tls" "operations" "session_keys" "audit" "limits" "log" -}}
{{- end -}}
{{- toYaml $config | sha256sum -}}
{{- end -}}

{{- define "crossway.env" -}}
{{- /* Where stdio servers keep caches: the image's home can't be written to. */ -}}
{{- if .Values.scratch.enabled }}
- name: HOME
  value: /tmp
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $from := .Values.secretEnv }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ $from.secret }}
      key: {{ $from.key }}
{{- end }}
{{- end -}}

{{- define "crossway.mounts" -}}
- name: config
  mountPath: /etc/crossway
  readOnly: true
- name: keys
  mountPath: /run/secrets/crossway
  readOnly: true
{{- range $dir, $from := .Values.secretFiles }}
- name: {{ printf "secret-%s" $dir }}
  mountPath: {{ printf "/run/secrets/%s" $dir }}
  readOnly: true
{{- end }}
{{- if .Values.scratch.enabled }}
- name: scratch
  mountPath: /tmp
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Of the pods that serve and of the check alike. Called with the root and the ConfigMap's name. */ -}}
{{- define "crossway.volumes" -}}
- name: config
  configMap:
    name: {{ .config }}
{{- with .root }}
- name: keys
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .Values.sessionKeys.secret }}
          items:
            {{- range .Values.sessionKeys.keys }}
            - key: {{ . }}
              path: session-keys/{{ . }}
            {{- end }}
      {{- if .Values.adminKey.secret }}
      - secret:
          name: {{ .Values.adminKey.secret }}
          items:
            - key: {{ .Values.adminKey.key }}
              path: admin-key
      {{- end }}
{{- range $dir, $from := .Values.secretFiles }}
- name: {{ printf "secret-%s" $dir }}
  secret:
    secretName: {{ $from.secret }}
    defaultMode: 0440
{{- end }}
{{- if .Values.scratch.enabled }}
- name: scratch
  emptyDir:
    sizeLimit: {{ .Values.scratch.sizeLimit }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}
