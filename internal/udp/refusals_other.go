//go:build !linux

package udp

import "net"

// ReportRefusals does nothing: an unconnected socket is not told here.
func ReportRefusals(net.PacketConn, bool) {}
