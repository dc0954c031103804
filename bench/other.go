//go:build !linux

package main

import "log"

func main() { log.Fatal("bench: needs Linux, for pinning and batched sockets") }
