package wire

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParseDestination reads the detail of a NOTICE of drain that names another server of the fleet:
// host:port, where host is the name of a host, an IPv4 address or an IPv6 address in brackets, and
// port is decimal, 1 to 65535. It reports false for anything else, which is text for a log.
//
// What an address cannot mean on another machine is refused: one that is unspecified, multicast or
// has a zone; and so is a name that some resolvers read as an address, such as 127.1 or 0x7f.1.
func ParseDestination(detail string) (host string, port uint16, ok bool) {
	colon := strings.LastIndexByte(detail, ':')
	if colon < 0 || len(detail) > MaxDetail {
		return "", 0, false
	}
	host, digits := detail[:colon], detail[colon+1:]
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || digits[0] < '1' || digits[0] > '9' { // no sign, and no zero in front
		return "", 0, false
	}
	if literal, bracketed := strings.CutPrefix(host, "["); bracketed {
		literal, bracketed = strings.CutSuffix(literal, "]")
		ip, err := netip.ParseAddr(literal)
		return literal, uint16(n), bracketed && err == nil && ip.Is6() && isHost(ip)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return host, uint16(n), ip.Is4() && isHost(ip)
	}
	return host, uint16(n), isHostName(host)
}

// isHost reports whether an address is one host's, on whatever machine it is read.
func isHost(ip netip.Addr) bool {
	plain := ip.Unmap()
	return ip.Zone() == "" && !plain.IsUnspecified() && !plain.IsMulticast() && plain != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// isHostName reports whether a name has labels of letters, digits and inner hyphens, as hosts have
// (RFC 1123, section 2.1), and does not end as a number. A dot may follow.
func isHostName(name string) bool {
	last := ""
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
				return false
			}
		}
		last = label
	}
	return last[0] < '0' || last[0] > '9' // else a number, or read as one
}
