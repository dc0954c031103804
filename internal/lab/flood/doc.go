// Package flood lets players at a match server while strangers flood its port, and judges whether the
// players notice.
//
//	core 0   the server, a process of its own: it answers each input at once (Serve), with the limits
//	         that every server has
//	core 1   this process: the players, 60 inputs a second each; the flood
//
//	quiet      players alone
//	elsewhere  first ClientHellos from random addresses of 127.64.0.0/10
//	own /24    first ClientHellos from addresses of the players' own networks, while newcomers from
//	           the same networks dial, one after the other
//
// The flood leaves core 1 no time for anything else, so that kernel threads and other programs come to
// core 0, for some milliseconds each. Config.Alone keeps them off it.
//
// All addresses are loopback's: Linux takes any address of 127.0.0.0/8 as a source (IP_PKTINFO), so
// that the flood needs no privilege. Sockets that nobody reads take the server's answers, or the
// kernel would send an ICMP error for each.
//
// # What is measured
//
//	disconnects   players whose session has ended, or gone on by ticket
//	loss          inputs and answers that have not come; and what the server's socket had no room for,
//	              of all datagrams that it was sent
//	residence     from the time at which the kernel has received an input to the time at which it has
//	              taken the answer, both by a packet socket (AF_PACKET), which needs CAP_NET_RAW
//	memory        what is resident of the server, at most, above its most while it was quiet
//	newcomers     how many have got in within 2 s each
package flood
