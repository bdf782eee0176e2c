// SPDX-License-Identifier: Apache-2.0

package wire

// HandleTableRequest is ENRP_HANDLE_TABLE_REQUEST (RFC 5353 2.2): which pools and elements do you know?
type HandleTableRequest struct {
	Servers
	OwnChildren bool // the W flag: only elements whose home the receiver is
}

// Type is TypeHandleTableRequest.
func (*HandleTableRequest) Type() ENRPType { return TypeHandleTableRequest }

// HandleTableResponse is ENRP_HANDLE_TABLE_RESPONSE (RFC 5353 2.3): the table, or a part of it.
type HandleTableResponse struct {
	Servers
	Reject  bool        // the R flag: no table now; there are no entries then
	More    bool        // the M flag: ask again for what follows
	Entries []PoolEntry // may be empty: an empty table
}

// Type is TypeHandleTableResponse.
func (*HandleTableResponse) Type() ENRPType { return TypeHandleTableResponse }

// PoolEntry is a pool, or some of it, in a handle table. A pool may have several entries.
type PoolEntry struct {
	Pool     PoolHandle
	Elements []PoolElement // at least one
}

const (
	flagReject uint8 = 1 << iota // of a HandleTableResponse
	flagMore
)

func (m *HandleTableResponse) invalid() string {
	if m.Reject && len(m.Entries) > 0 {
		return "rejection with pool entries"
	}
	for _, e := range m.Entries {
		if len(e.Elements) == 0 {
			return "pool entry without elements"
		}
	}
	return ""
}

func parseHandleTableRequest(msg param, sk *skips) (ENRPMessage, *Error) {
	if _, err := readParams(msg, enrpFixedLen, rule{}, sk); err != nil {
		return nil, err
	}
	return &HandleTableRequest{Servers: servers(msg), OwnChildren: lowFlag(msg)}, nil
}

func (m *HandleTableRequest) encode(w *writer) (flags uint8) {
	m.Servers.encode(w)
	return bit(m.OwnChildren)
}

func parseHandleTableResponse(msg param, sk *skips) (ENRPMessage, *Error) {
	c, err := readParams(msg, enrpFixedLen, rule{repeated: 1<<paramPoolHandle | 1<<paramPoolElement}, sk)
	if err != nil {
		return nil, err
	}
	m := &HandleTableResponse{
		Servers: servers(msg),
		Reject:  msg.tlv[1]&flagReject != 0,
		More:    msg.tlv[1]&flagMore != 0,
		Entries: c.poolEntries(),
	}
	if reason := m.invalid(); reason != "" {
		return nil, msg.invalid(reason)
	}
	return m, nil
}

func (m *HandleTableResponse) encode(w *writer) (flags uint8) {
	if reason := m.invalid(); reason != "" {
		w.fail(reason)
	}
	m.Servers.encode(w)
	for i := range m.Entries {
		m.Entries[i].encode(w)
	}
	if m.Reject {
		flags |= flagReject
	}
	if m.More {
		flags |= flagMore
	}
	return flags
}

func (e *PoolEntry) encode(w *writer) {
	e.Pool.encode(w)
	for i := range e.Elements {
		e.Elements[i].encode(w)
	}
}

// entryStart is a pool handle that begins an entry, and how many pool elements came before it.
type entryStart struct {
	pool   PoolHandle
	before int
}

// enter notes where an entry begins, once p is decoded: here order means something, as each pool element is of the pool
// whose handle came last.
func (c *contents) enter(p param) *Error {
	switch {
	case p.typ == paramPoolHandle:
		c.starts = append(c.starts, entryStart{c.pool, len(c.elements)})
	case len(c.starts) == 0:
		return p.invalid("pool element before any pool handle")
	}
	return nil
}

// poolEntries parts the elements by the pool handles before them.
func (c *contents) poolEntries() []PoolEntry {
	if len(c.starts) == 0 {
		return nil
	}
	entries := make([]PoolEntry, 0, len(c.starts))
	for i, start := range c.starts {
		end := len(c.elements)
		if i+1 < len(c.starts) {
			end = c.starts[i+1].before
		}
		entries = append(entries, PoolEntry{Pool: start.pool, Elements: c.elements[start.before:end:end]})
	}
	return entries
}
