// Package fuzz has the fuzz targets that cross packages: a whole server, fed
// with datagrams. Targets of one parser stay beside it.
//
// Run one with
//
//	go test ./fuzz -fuzz FuzzDatagrams -fuzztime 60s -fuzzminimizetime 10x
package fuzz
