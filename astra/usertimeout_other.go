//go:build !linux

package astra

import "syscall"

func setUserTimeout(string, string, syscall.RawConn) error { return nil }
