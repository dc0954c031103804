// Package gns drives GameNetworkingSockets, Valve's library of C++, for the
// benchmark: a server and a client in this process. The library is loaded from
// where somebody has built it, through its flat interface, so that the benchmark
// builds and runs without it.
package gns
