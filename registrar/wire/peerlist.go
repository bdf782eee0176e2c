// SPDX-License-Identifier: Apache-2.0

package wire

// ListRequest is ENRP_LIST_REQUEST (RFC 5353 2.5): which registrars do you know?
type ListRequest struct {
	Servers
}

// Type is TypeListRequest.
func (*ListRequest) Type() ENRPType { return TypeListRequest }

// ListResponse is ENRP_LIST_RESPONSE (RFC 5353 2.6).
type ListResponse struct {
	Servers
	Reject bool         // the R flag: no list now; there are no peers then
	Peers  []ServerInfo // may be empty: the sender knows nobody but the receiver
}

// Type is TypeListResponse.
func (*ListResponse) Type() ENRPType { return TypeListResponse }

func (m *ListResponse) invalid() string {
	if m.Reject && len(m.Peers) > 0 {
		return "rejection with server information"
	}
	return ""
}

func parseListRequest(msg param, sk *skips) (ENRPMessage, *Error) {
	if _, err := readParams(msg, enrpFixedLen, rule{}, sk); err != nil {
		return nil, err
	}
	return &ListRequest{Servers: servers(msg)}, nil
}

func (m *ListRequest) encode(w *writer) (flags uint8) {
	m.Servers.encode(w)
	return 0
}

func parseListResponse(msg param, sk *skips) (ENRPMessage, *Error) {
	c, err := readParams(msg, enrpFixedLen, rule{repeated: 1 << paramServer}, sk)
	if err != nil {
		return nil, err
	}
	m := &ListResponse{Servers: servers(msg), Reject: lowFlag(msg), Peers: c.servers}
	if reason := m.invalid(); reason != "" {
		return nil, msg.invalid(reason)
	}
	return m, nil
}

func (m *ListResponse) encode(w *writer) (flags uint8) {
	if reason := m.invalid(); reason != "" {
		w.fail(reason)
	}
	m.Servers.encode(w)
	for i := range m.Peers {
		m.Peers[i].encode(w)
	}
	return bit(m.Reject)
}
