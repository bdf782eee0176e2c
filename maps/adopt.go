// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weir-lb/weir/bpf"
)

// use is what a row of services is there for.
type use struct {
	Service
	kind uint8
}

// adopt takes over what the maps have, and brings it in line with the services.
func (s *Steering) adopt(services []Service) error {
	used, err := s.adoptServices(services)
	if err != nil {
		return err
	}
	if err := s.adoptRows(used); err != nil {
		return err
	}
	if err := s.adoptEndpoints(used); err != nil {
		return err
	}
	if err := s.adoptAccess(used); err != nil {
		return err
	}
	return s.addServices(services, used)
}

// adoptServices reads the services' rows; those that are not in services are removed. It returns the
// rows in use, those of guarded ports too.
func (s *Steering) adoptServices(services []Service) (map[uint16]use, error) {
	used := map[uint16]use{}
	for row := range s.maps.Services.MaxEntries() {
		var at bpf.WeirService
		if err := s.maps.Services.Lookup(row, &at); err != nil {
			return nil, fmt.Errorf("read service row %d: %w", row, err)
		}
		service := Service{VIP: addrPort(at.Addr, at.Port), Protocol: at.Protocol}
		switch {
		case at.Kind == guarded:
			used[uint16(row)] = use{service, guarded}
		case at.Kind != serviced:
		case slices.Contains(services, service):
			s.services[service] = uint16(row)
			s.options[uint16(row)] = Options{Mode: Mode(at.Mode), TunnelPort: fromBE16(at.TunnelPort), Slots: int(at.Slots), Fragments: Fragments(at.Fragments),
				ByClient: at.ByClient != 0, spread: Spread(at.Spread), used: int(at.Slots), access: access(at.Access), OnLoss: OnLoss(at.OnLoss)}
			used[uint16(row)] = use{service, serviced}
		default:
			if err := s.removeService(service, uint16(row)); err != nil {
				return nil, err
			}
		}
	}
	return used, nil
}

func (s *Steering) removeService(service Service, row uint16) error {
	s.endpoints.remove(s.endpoints.endpoint(service, serviced, row))
	if err := s.maps.Services.Put(uint32(row), bpf.WeirService{}); err != nil {
		return fmt.Errorf("remove service %s, which is no longer configured: %w", service, err)
	}
	if err := s.deselect(row); err != nil {
		return fmt.Errorf("remove service %s, which is no longer configured: %w", service, err)
	}
	return nil
}

// adoptRows reads the elements' rows; rows of services that are gone are retired.
func (s *Steering) adoptRows(used map[uint16]use) error {
	for index := s.maps.Elements.MaxEntries() - 1; index >= 1; index-- {
		var e bpf.WeirElement
		if err := s.maps.Elements.Lookup(index, &e); err != nil {
			return fmt.Errorf("read element row %d: %w", index, err)
		}
		switch {
		case e.Port == 0 && e.State == uint8(bpf.WeirElementStateELEMENT_FREE): // never used, or released
			s.free = append(s.free, uint16(index))
		case e.State == uint8(bpf.WeirElementStateELEMENT_FREE):
			s.retired[uint16(index)] = true
		case used[e.Service].kind != serviced:
			e.State = uint8(bpf.WeirElementStateELEMENT_FREE)
			if err := s.maps.Elements.Put(index, e); err != nil {
				return fmt.Errorf("free element row %d: %w", index, err)
			}
			s.retired[uint16(index)] = true
		default:
			row := Row{Index: uint16(index), Element: elementOf(e)}
			s.rows[rowKey{e.Service, e.Pe, row.Addr}] = row
			if err := writeHop(s.maps, row.Index, Hop{}); err != nil { // of an earlier agent, and old
				return err
			}
		}
	}
	return nil
}

// adoptEndpoints counts from where the rows' elements answer. Of the table it leaves only what follows
// from the rows.
func (s *Steering) adoptEndpoints(used map[uint16]use) error {
	wanted := map[endpoint]bool{}
	for row, u := range used {
		wanted[s.endpoints.endpoint(u.Service, u.kind, row)] = true
	}
	for key := range s.rows {
		wanted[s.endpoints.endpoint(Service{key.addr, used[key.service].Protocol}, server, 0)] = true
	}
	s.endpoints.keep(wanted)
	for key := range s.rows {
		if err := s.answer(Service{key.addr, used[key.service].Protocol}); err != nil {
			return err
		}
	}
	return nil
}

// addServices gives each new service a place, then all of them their endpoints.
func (s *Steering) addServices(services []Service, used map[uint16]use) error {
	for _, service := range services {
		if _, known := s.services[service]; !known {
			if err := s.addService(service, used); err != nil {
				return fmt.Errorf("add service %s: %w", service, err)
			}
		}
		if err := s.endpoints.put(s.endpoints.endpoint(service, serviced, s.services[service])); err != nil {
			return fmt.Errorf("add service %s: %w", service, err)
		}
	}
	return nil
}

// addService gives a service a row. Without a selection table it has no elements.
func (s *Steering) addService(service Service, used map[uint16]use) error {
	row, err := freeRow(s.maps, used)
	if err != nil {
		return err
	}
	if err := s.deselect(row); err != nil { // of an agent that ended before it was removed
		return err
	}
	if err := writeService(s.maps, row, service, serviced, Options{}); err != nil {
		return err
	}
	s.services[service], used[row] = row, use{service, serviced}
	return nil
}

// freeRow is a row of services that is not used. Row 0 never is.
func freeRow(m *bpf.WeirMaps, used map[uint16]use) (uint16, error) {
	for row := uint32(1); row < m.Services.MaxEntries(); row++ {
		if _, ok := used[uint16(row)]; !ok {
			return uint16(row), nil
		}
	}
	return 0, ErrFull
}

func writeService(m *bpf.WeirMaps, row uint16, service Service, kind uint8, o Options) error {
	err := m.Services.Put(uint32(row), bpf.WeirService{
		Addr: address(service.VIP.Addr()), Port: be16(service.VIP.Port()), Protocol: service.Protocol, Kind: kind, Slots: uint32(cmp.Or(o.used, o.slots())),
		Mode: uint8(o.Mode), TunnelPort: o.tunnelPort(), Fragments: uint8(o.Fragments), Spread: uint8(o.spread), Access: uint8(o.access), ByClient: flag(o.ByClient),
		OnLoss: uint8(o.OnLoss),
	})
	if err != nil {
		return fmt.Errorf("write service %s: %w", service, err)
	}
	return nil
}

func flag(is bool) uint8 {
	if is {
		return 1
	}
	return 0
}
