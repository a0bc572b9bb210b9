//go:build tools

// Package tools keeps helm in go.mod; the program is built from its own module.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
