//go:build !linux

package astratest

import "net"

const lossySockets = false

func setLossy(net.Conn, bool) bool { return false }
