//go:build tools

// Package tools keeps kwok in go.mod; the program is built from its own module.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
