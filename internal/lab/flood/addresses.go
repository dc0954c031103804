//go:build linux

package flood

import (
	"math/rand/v2"
	"net/netip"
)

// player returns the address of a player: perNetwork in each /24, from 127.1.0.0/24 on.
func player(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 1, byte(i / perNetwork), byte(1 + i%perNetwork)})
}

// newcomer returns the address of a newcomer in one of the players' networks.
func newcomer(i, players int) netip.Addr {
	networks := (players + perNetwork - 1) / perNetwork
	return netip.AddrFrom4([4]byte{127, 1, byte(i % networks), byte(200 + i/networks)})
}

// elsewhere returns a random address of 127.64.0.0/10, where nobody plays.
func elsewhere(rng *rand.Rand) [4]byte {
	n := rng.Uint32()
	return [4]byte{127, 64 | byte(n>>16)&63, byte(n >> 8), byte(n)}
}

// among returns a random address of the players' networks, which may be a player's or a newcomer's.
func among(players int) func(rng *rand.Rand) [4]byte {
	networks := (players + perNetwork - 1) / perNetwork
	return func(rng *rand.Rand) [4]byte {
		n := rng.Uint32()
		return [4]byte{127, 1, byte(int(n>>8) % networks), byte(n)}
	}
}
