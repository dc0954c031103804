package hosts

import "testing"

// "this machine by a name or address that nobody else can have"
func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost:80": true, "[::1]": true, "localhost:7790": true, "127.0.0.1": true, "127.8.9.10:80": true, "[::1]:80": true, "::1": true,
		"": false, "192.0.2.1:80": false, "evil.example": false, "localhost.evil.example:80": false, "127.0.0.1.": false, "0.0.0.0:80": false,
	} {
		if got := Loopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// "an IP address, localhost or one of names"
func TestAddressed(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:1": true, "192.0.2.1:80": true, "192.0.2.1": true, "[2001:db8::1]:80": true, "[2001:db8::1]": true,
		"status.example": true, "Status.Example:443": true,
		"": false, "evil.example": false, "status.example.evil.example:80": false, "[status.example": true, "localhost.": false,
	} {
		if got := Addressed(host, "status.example"); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
