package policy

// A path holds datagrams back and delivers them in a clump, and no clump of a sender's that keeps to the stated rate may
// end its session. So the line for revocation, and that line alone, is raised by what may be under way still:
//
//   - in a silence of a Window or more, what the stated rate allows (BehaviourConfig says which that is);
//   - otherwise, what comes less than usual. Usual is the player's own rate: the most that has come in a Window and was
//     not owed from before, up to the stated rate. It falls slowly while less comes.
//
// What comes beyond the usual is taken from this credit, when its slot is dropped. The credit is never more than
// maxSilence of the stated rate. What exceeds maxSilence of the usual one is soon forgotten, and meanwhile what comes is
// taken from it only beyond the stated rate.
//
// A bot gains nothing by it. What exceeds Limit is dropped, whatever the credit. And since the stated rate is below
// Revoke, a silence earns less than could have been sent meanwhile: nobody sends more, on average, than those who keep
// just below the line all the time.

// finish accounts for the newest slot, which is over.
func (b *Behaviour) finish() {
	last := int64(b.sum) * unit
	if own := last - b.credit; own > b.usual {
		b.usual = min(own, b.config.stated)
	} else if last < b.usual {
		b.usual -= (b.usual - last) >> usualFall
	}
	if missing := b.share() - int64(b.counts[b.newest])*unit; missing > 0 {
		b.credit = min(b.credit+missing, b.config.stated/slots*b.config.silence)
	}
	if b.credit > 0 {
		b.credit -= b.unexplained() >> creditFall
	}
}

// spend accounts for the oldest slot, which leaves the Window.
func (b *Behaviour) spend(n uint32) {
	if b.credit == 0 {
		return // as in steady play
	}
	share := b.share()
	if b.unexplained() > 0 {
		share = b.config.stated / slots
	}
	if beyond := int64(n)*unit - share; beyond > 0 {
		b.credit = max(b.credit-beyond, 0)
	}
}

// rest accounts for a number of slots in which nothing came; a Window of them has been accounted for.
func (b *Behaviour) rest(n int64) {
	stated := b.config.stated / slots
	b.credit = min(b.credit+min(n, b.config.silence)*stated-b.usual, stated*b.config.silence)
}

// unexplained is the credit that the usual rate does not explain: the player's own may be higher.
func (b *Behaviour) unexplained() int64 { return max(b.credit-b.usual/slots*b.config.silence, 0) }

// share is a slot's part of what is usual. Two state changes a Window less are usual too, so that steady play earns
// nothing; more than three quarters of the stated rate count as all of it.
func (b *Behaviour) share() int64 {
	if stated := b.config.stated; b.usual >= stated-stated/4 {
		return stated / slots
	}
	return max(b.usual-2*unit, 0) / slots
}
