package accept

// The lists that an entry can be in.
const (
	inAll = iota
	inPeer
	inLong // of which header bytes count
	lists
)

// links are the neighbours of an entry in one list.
type links struct{ older, younger *entry }

// A list is entries in the order in which they came. The zero value is an empty
// one of all.
type list struct {
	which            int
	oldest, youngest *entry
	n                int
}

func (l *list) push(e *entry) {
	e.links[l.which] = links{older: l.youngest}
	if l.youngest == nil {
		l.oldest = e
	} else {
		l.youngest.links[l.which].younger = e
	}
	l.youngest = e
	l.n++
}

func (l *list) remove(e *entry) {
	at := e.links[l.which]
	if at.older == nil {
		l.oldest = at.younger
	} else {
		at.older.links[l.which].younger = at.younger
	}
	if at.younger == nil {
		l.youngest = at.older
	} else {
		at.younger.links[l.which].older = at.older
	}
	e.links[l.which] = links{}
	l.n--
}
