package wire

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

// "host:port, where host is the name of a host, an IPv4 address or an IPv6 address in brackets, and
// port is decimal, 1 to 65535" PROTOCOL.md 3.10
func TestParseDestination(t *testing.T) {
	for detail, host := range map[string]string{
		"match-2.example.com:7777":              "match-2.example.com",
		"match-2.example.com.:7777":             "match-2.example.com.",
		"pod:1":                                 "pod",
		"3com.example:65535":                    "3com.example",
		"127.0.0.1:7777":                        "127.0.0.1",
		"10.4.2.17:31000":                       "10.4.2.17",
		"[::1]:7777":                            "::1",
		"[2001:db8::17]:7777":                   "2001:db8::17",
		"[::ffff:192.0.2.1]:7777":               "::ffff:192.0.2.1",
		strings.Repeat("a", 59) + ":7777":       strings.Repeat("a", 59),
		"shutting down":                         "",
		"":                                      "",
		":":                                     "",
		":7777":                                 "",
		"pod":                                   "",
		"pod:":                                  "",
		"pod:0":                                 "",
		"pod:07777":                             "",
		"pod:+7777":                             "",
		"pod:65536":                             "",
		"pod:https":                             "",
		"pod:7777 ":                             "",
		" pod:7777":                             "",
		"pod :7777":                             "",
		"a..b:7777":                             "",
		".:7777":                                "",
		"-pod:7777":                             "",
		"pod-:7777":                             "",
		"a_b:7777":                              "",
		"p\u00f6d:7777":                         "",
		"pod\x00:7777":                          "",
		"pod/x:7777":                            "",
		"user@pod:7777":                         "",
		"2001:db8::17:7777":                     "",
		"::1:7777":                              "",
		"[2001:db8::17]7777":                    "",
		"[2001:db8::17:7777":                    "",
		"[127.0.0.1]:7777":                      "",
		"[fe80::1%eth0]:7777":                   "",
		"[::]:7777":                             "",
		"[ff02::1]:7777":                        "",
		"[::ffff:0.0.0.0]:7777":                 "",
		"[::ffff:224.0.0.1]:7777":               "",
		"0.0.0.0:7777":                          "",
		"224.0.0.1:7777":                        "",
		"255.255.255.255:7777":                  "",
		"127.1:7777":                            "",
		"0x7f.1:7777":                           "",
		"2130706433:7777":                       "",
		"1.2.3.4.5:7777":                        "",
		"256.1.1.1:7777":                        "",
		"a.0x7f000001:7777":                     "",
		strings.Repeat("a", 60) + ":7777":       "", // longer than a detail
		strings.Repeat("a", 64) + ":1":          "",
		"http://pod:7777":                       "",
		"https://match-2.example.com:7777/join": "",
	} {
		got, port, ok := ParseDestination(detail)
		if ok != (host != "") || ok && (got != host || port == 0) {
			t.Errorf("%q: %q, %d, %v; want %q", detail, got, port, ok, host)
		}
	}
}

// What is a destination, package net splits into the same host and port, and it fits a detail.
func FuzzDestination(f *testing.F) {
	for _, seed := range []string{"pod:7777", "[::1]:7777", "127.0.0.1:1", "shutting down", "a..b:1", "[::ffff:1.2.3.4]:5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, detail string) {
		host, port, ok := ParseDestination(detail)
		if !ok {
			return
		}
		netHost, netPort, err := net.SplitHostPort(detail)
		if err != nil || netHost != host || netPort != strconv.Itoa(int(port)) || len(detail) > MaxDetail {
			t.Fatalf("%q is %q and %d here; package net: %q, %q, %v", detail, host, port, netHost, netPort, err)
		}
		if ip, err := netip.ParseAddr(host); err == nil && (!ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast()) {
			t.Fatalf("%q is no host's", detail)
		}
	})
}
