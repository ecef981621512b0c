// Package astrago documents the module github.com/seed-5f06b232/astra-go, which connects Go programs to Astra DB. It exports nothing.
package astrago
