{{- define "slipway.selector" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/component: daemon
{{- end }}

{{- define "slipway.labels" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/part-of: slipway
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The Service's own names, then those of whatever stands in front. */ -}}
{{- define "slipway.names" -}}
{{- $ns := .Release.Namespace -}}
{{- concat (list "slipway" (printf "slipway.%s" $ns) (printf "slipway.%s.svc" $ns) (printf "slipway.%s.svc.cluster.local" $ns)) .Values.behindProxy | join "," -}}
{{- end }}
