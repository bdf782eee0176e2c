// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// maxElements bounds the elements of one pool in a status document: a pool may have a million.
const maxElements = 1000

// RegistrarStatus is a registrar in a status document.
type RegistrarStatus struct {
	ServerID     string          `json:"server_id"` // 0x1a2b3c4d
	Secured      bool            `json:"secured"`
	Synchronised bool            `json:"synchronised"` // the handlespace is whole
	ASAP         []string        `json:"asap"`         // 10.0.0.1:3864
	ENRP         []string        `json:"enrp"`
	Peers        []PeerStatus    `json:"peers"`
	Pools        []PoolStatus    `json:"pools"`
	Checksum     string          `json:"checksum"` // of the elements whose home it is (RFC 5353 3.6.2): 0xb41e
	Stats        registrar.Stats `json:"stats"`
}

// PeerStatus is another registrar.
type PeerStatus struct {
	ServerID  string     `json:"server_id"`
	State     string     `json:"state"`                // enrp.PeerState
	Address   string     `json:"address"`              // tcp://10.0.0.2:9902; empty: it has not told
	Sessions  int        `json:"sessions"`             // with it
	Elements  int        `json:"elements"`             // whose home it is
	Checksum  string     `json:"checksum"`             // of those; it must come to be the peer's own
	LastHeard *time.Time `json:"last_heard,omitempty"` // absent: never
}

// PoolStatus is a pool in the handlespace.
type PoolStatus struct {
	Pool     string              `json:"pool"`
	Policy   string              `json:"policy"`
	Count    int                 `json:"count"`    // of elements
	Elements []PoolElementStatus `json:"elements"` // the first maxElements
}

// PoolElementStatus is an element in the handlespace.
type PoolElementStatus struct {
	PE       string `json:"pe"`
	Identity string `json:"identity"` // empty: nobody who registered here
	Address  string `json:"address"`  // tcp://10.0.11.2:8080
	Home     string `json:"home"`     // 0x1a2b3c4d
	State    string `json:"state"`    // handlespace.State
}

// RegistrarOf describes a registrar, but for its identifier and whether it is secured.
func RegistrarOf(r *registrar.Registrar, v registrar.View) RegistrarStatus {
	s := RegistrarStatus{
		Synchronised: v.Synchronised, ASAP: texts(r.ASAP()), ENRP: texts(r.ENRP()),
		Peers: PeersOf(v), Pools: []PoolStatus{}, Checksum: sum(v.Checksum), Stats: r.Stats(),
	}
	for _, p := range v.Pools {
		s.Pools = append(s.Pools, poolOf(p))
	}
	return s
}

func texts(addrs []netip.AddrPort) []string {
	all := make([]string, len(addrs))
	for i, a := range addrs {
		all[i] = a.String()
	}
	return all
}

func sum(checksum uint16) string { return fmt.Sprintf("0x%04x", checksum) }

// PeersOf describes the other registrars.
func PeersOf(v registrar.View) []PeerStatus {
	all := make([]PeerStatus, 0, len(v.Peers))
	for _, p := range v.Peers {
		s := PeerStatus{
			ServerID: p.Server.String(), State: p.State.String(), Sessions: p.Sessions, Elements: p.Elements, Checksum: sum(p.Checksum),
		}
		if p.Transport != nil {
			s.Address = place(*p.Transport)
		}
		if !p.LastHeard.IsZero() {
			s.LastHeard = &p.LastHeard
		}
		all = append(all, s)
	}
	return all
}

func poolOf(p *handlespace.Pool) PoolStatus {
	s := PoolStatus{
		Pool: string(p.Handle()), Policy: p.Policy().Type.String(), Count: p.Len(), Elements: []PoolElementStatus{},
	}
	for e := range p.All() {
		if len(s.Elements) == maxElements {
			break
		}
		s.Elements = append(s.Elements, PoolElementStatus{
			PE: e.ID.String(), Identity: e.Identity(), Address: place(e.User), Home: e.Home.String(), State: e.State.String(),
		})
	}
	return s
}

// place is a transport as an URL with its first address.
func place(t wire.Transport) string {
	if len(t.Addrs) == 0 {
		return t.Protocol.String()
	}
	return t.Protocol.String() + "://" + netip.AddrPortFrom(t.Addrs[0], t.Port).String()
}

// WritePeers lists the other registrars, or nothing if there is none.
func WritePeers(b *bytes.Buffer, peers []PeerStatus, now time.Time) {
	if len(peers) == 0 {
		return
	}
	fmt.Fprintln(b)
	t := NewTable(b)
	fmt.Fprintf(t, "PEER\tADDRESS\t%8s\tHEARD\tSTATE\n", "ELEMENTS")
	for _, p := range peers {
		state, heard := p.State, "never"
		if state != enrp.Active.String() {
			state = strings.ToUpper(state)
		}
		if p.LastHeard != nil {
			heard = now.Sub(*p.LastHeard).Round(time.Second).String() + " ago"
		}
		fmt.Fprintf(t, "  %s\t%s\t%8d\t%s\t%s\n", p.ServerID, cmp.Or(p.Address, "-"), p.Elements, heard, state)
	}
	t.Flush() // a bytes.Buffer takes everything
}

// Write writes the registrar for people.
func (s RegistrarStatus) Write(b *bytes.Buffer, now time.Time) {
	security := "TLS"
	if !s.Secured {
		security = "UNSECURED: everybody is believed"
	}
	fmt.Fprintf(b, "server     %s, %s\n", s.ServerID, security)
	fmt.Fprintf(b, "asap       %s\n", strings.Join(s.ASAP, ", "))
	fmt.Fprintf(b, "enrp       %s\n", cmp.Or(strings.Join(s.ENRP, ", "), "none: no other registrars"))
	fmt.Fprintf(b, "holds      %d sessions, %d elements in %d pools\n", s.Stats.Sessions, s.Stats.Elements, s.Stats.Pools)
	WriteCounts(b, "refused", s.Stats.Refused)
	WriteCounts(b, "rejected", s.Stats.Rejected)
	WriteCounts(b, "departed", s.Stats.Departed)
	WriteCounts(b, "takeovers", s.Stats.Peers.Takeovers)
	WritePeers(b, s.Peers, now)
	for _, p := range s.Pools {
		p.write(b)
	}
}

func (p PoolStatus) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\npool %s  policy %s  %d elements\n", Printable(p.Pool), p.Policy, p.Count)
	t := NewTable(b)
	fmt.Fprintf(t, "  ELEMENT\tIDENTITY\tADDRESS\tHOME\tSTATE\n")
	for _, e := range p.Elements {
		state := e.State
		if state != handlespace.Up.String() {
			state = strings.ToUpper(state)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", e.PE, cmp.Or(e.Identity, "-"), e.Address, e.Home, state)
	}
	t.Flush()
	if more := p.Count - len(p.Elements); more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}
