{{- define "eloquence.labels" -}}
app.kubernetes.io/name: eloquence
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "eloquence.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "eloquence.claim" -}}
{{ .Values.storage.existingClaim | default (printf "%s-data" .Release.Name) }}
{{- end }}

{{- define "eloquence.host" -}}
{{ (urlParse (required "page.url is needed: the address as people open it" .Values.page.url)).host }}
{{- end }}

{{/* What a server and a worker share. */}}
{{- define "eloquence.environment" -}}
- name: ELOQUENCE_DATA
  value: /data
- name: LIVEKIT_URL
  value: {{ required "livekit.url is needed: as ws://livekit.livekit:7880" .Values.livekit.url | quote }}
- name: LIVEKIT_API_KEY
  valueFrom:
    secretKeyRef: { name: {{ .Values.secrets.livekit.name }}, key: {{ .Values.secrets.livekit.key }} }
- name: LIVEKIT_API_SECRET
  valueFrom:
    secretKeyRef: { name: {{ .Values.secrets.livekit.name }}, key: {{ .Values.secrets.livekit.secret }} }
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: { name: {{ .Values.secrets.database.name }}, key: {{ .Values.secrets.database.url }} }
{{- if .Values.secrets.redis.name }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef: { name: {{ .Values.secrets.redis.name }}, key: {{ .Values.secrets.redis.url }} }
{{- end }}
{{- end }}

{{- define "eloquence.more" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "eloquence.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
volumes:
  - name: data
    persistentVolumeClaim: { claimName: {{ include "eloquence.claim" . }} }
  - name: tmp
    emptyDir: {}
{{- end }}

{{- define "eloquence.container" -}}
image: {{ include "eloquence.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: data, mountPath: /data }
  - { name: tmp, mountPath: /tmp }
{{- end }}

{{- define "eloquence.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "eloquence.labels" . | nindent 8 }}
{{- end }}
