// Package enet drives ENet, the C library, for the benchmark: a host that serves
// and one that connects, both in this process. The library is loaded when it is
// asked for, so that the benchmark builds and runs without it.
package enet
