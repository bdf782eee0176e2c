// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"slices"

	"github.com/weir-lb/weir/bpf"
)

// adoptServices reads the endpoints; those that are not in services are deleted.
func (s *Steering) adoptServices(services []Service) (map[uint32]bool, error) {
	kept := map[uint32]bool{}
	var key bpf.WeirEndpointKey
	var at bpf.WeirEndpoint
	var stale []bpf.WeirEndpointKey
	for it := s.maps.Endpoints.Iterate(); ; {
		if !it.Next(&key, &at) {
			if err := it.Err(); err != nil {
				return nil, fmt.Errorf("read the endpoints: %w", err)
			}
			break
		}
		service := Service{VIP: addrPort(key.Addr, key.Port), Protocol: key.Protocol}
		switch {
		case at.Kind != uint32(bpf.WeirEndpointKindENDPOINT_SERVICE):
		case slices.Contains(services, service):
			s.services[service] = at.Service
			kept[at.Service] = true
		default:
			stale = append(stale, key)
		}
	}
	for _, key := range stale {
		if err := s.maps.Endpoints.Delete(key); err != nil {
			return nil, fmt.Errorf("remove a service that is no longer configured: %w", err)
		}
	}
	return kept, nil
}

// adoptRows reads the elements' rows; rows of services that are gone are freed.
func (s *Steering) adoptRows(kept map[uint32]bool) error {
	for index := s.maps.Elements.MaxEntries() - 1; index >= 1; index-- {
		var e bpf.WeirElement
		if err := s.maps.Elements.Lookup(index, &e); err != nil {
			return fmt.Errorf("read element row %d: %w", index, err)
		}
		if e.Generation != 0 {
			s.gens[index] = e.Generation
		}
		if e.State != uint8(bpf.WeirElementStateELEMENT_FREE) && !kept[e.Service] {
			e.State = uint8(bpf.WeirElementStateELEMENT_FREE)
			if err := s.maps.Elements.Put(index, e); err != nil {
				return fmt.Errorf("free element row %d: %w", index, err)
			}
		}
		if e.State == uint8(bpf.WeirElementStateELEMENT_FREE) {
			s.free = append(s.free, index)
			continue
		}
		row := Row{Index: index, Generation: e.Generation, Element: Element{
			PE: e.Pe, Addr: addrPort(e.Addr, e.Port), Weight: e.Weight, State: State(e.State)}}
		s.rows[rowKey{e.Service, e.Pe, row.Addr}] = row
	}
	return nil
}

// addServices gives each new service a place with an empty selection, then its endpoint.
func (s *Steering) addServices(services []Service, used map[uint32]bool) error {
	next := uint32(0)
	for _, service := range services {
		if _, ok := s.services[service]; ok {
			continue
		}
		for used[next] {
			next++
		}
		if next >= s.maps.Selections.MaxEntries() {
			return fmt.Errorf("add service %s: %w", service, ErrFull)
		}
		used[next] = true
		if err := s.swap(next, nil); err != nil {
			return err
		}
		key := bpf.WeirEndpointKey{Addr: be32(service.VIP.Addr()), Port: be16(service.VIP.Port()), Protocol: service.Protocol}
		at := bpf.WeirEndpoint{Kind: uint32(bpf.WeirEndpointKindENDPOINT_SERVICE), Service: next}
		if err := s.maps.Endpoints.Put(key, at); err != nil {
			return fmt.Errorf("add service %s: %w", service, err)
		}
		s.services[service] = next
	}
	return nil
}
