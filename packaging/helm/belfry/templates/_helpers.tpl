{{- define "belfry.name" -}}
{{- if contains "belfry" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-belfry" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "belfry.selector" -}}
app.kubernetes.io/name: belfry
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "belfry.labels" -}}
{{ include "belfry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "belfry.secret" -}}
{{ .Values.existingSecret | default (include "belfry.name" .) }}
{{- end }}

{{/* The names of the nodes of the first start. */}}
{{- define "belfry.join" -}}
{{- $name := include "belfry.name" . -}}
{{- $list := list -}}
{{- range until (int .Values.cluster.first) }}{{ $list = append $list (printf "%s-%d.%s-nodes:6003" $name . $name) }}{{ end -}}
{{ join "," $list }}
{{- end }}

{{/* Seconds of a duration such as 10s or 1m. */}}
{{- define "belfry.seconds" -}}
{{- $d := toString . -}}
{{- if hasSuffix "ms" $d }}1{{ else if hasSuffix "m" $d }}{{ mul (int (trimSuffix "m" $d)) 60 }}{{ else if hasSuffix "h" $d }}{{ mul (int (trimSuffix "h" $d)) 3600 }}{{ else }}{{ int (trimSuffix "s" $d) }}{{ end }}
{{- end }}
