// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/agent/pu"
	"github.com/weir-lb/weir/registrar/wire"
)

// tablePrinter prints for people.
type tablePrinter struct{ out io.Writer }

func (t tablePrinter) pool(p pu.Pool) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "pool %s  policy %v  elements %d\n", operate.Printable(string(p.Handle)), p.Policy.Type, len(p.Elements))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ELEMENT\tADDRESS\tVALUES\tHOME")
	for _, e := range p.Elements {
		fmt.Fprintf(w, "%v\t%s\t%s\t%v\n", e.ID, serviceText(e.User), valuesText(e.Policy), e.Home)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := b.WriteTo(t.out)
	return err
}

func (t tablePrinter) change(old, now pu.Pool) error {
	var b bytes.Buffer
	for _, e := range now.Elements {
		switch was := elementOf(old, e.ID); {
		case was == nil:
			fmt.Fprintf(&b, "+ %s\n", elementText(e))
		case !reflect.DeepEqual(*was, e):
			fmt.Fprintf(&b, "~ %s\n", elementText(e))
		}
	}
	for _, e := range old.Elements {
		if elementOf(now, e.ID) == nil {
			fmt.Fprintf(&b, "- %s\n", elementText(e))
		}
	}
	_, err := b.WriteTo(t.out)
	return err
}

func (t tablePrinter) failover(_ wire.PoolHandle, old, now wire.PoolElement) error {
	_, err := fmt.Fprintf(t.out, "failover %v %s -> %v %s\n", old.ID, serviceText(old.User), now.ID, serviceText(now.User))
	return err
}

func (t tablePrinter) fault(err error) error {
	_, e := fmt.Fprintf(t.out, "! %v\n", err)
	return e
}

func elementOf(p pu.Pool, id wire.PEID) *wire.PoolElement {
	for i := range p.Elements {
		if p.Elements[i].ID == id {
			return &p.Elements[i]
		}
	}
	return nil
}

func elementText(e wire.PoolElement) string {
	return fmt.Sprintf("%v  %s  %s  home %v", e.ID, serviceText(e.User), valuesText(e.Policy), e.Home)
}

// serviceText is proto://address:port, with all addresses of a multi-homed one.
func serviceText(t wire.Transport) string {
	var all []string
	for _, a := range t.Addrs {
		all = append(all, netip.AddrPortFrom(a, t.Port).String())
	}
	return t.Protocol.String() + "://" + strings.Join(all, ",")
}

// valuesText is the element's values of its policy, "-" if it has none.
func valuesText(p wire.Policy) string {
	var words []string
	add := func(name string, v uint32, ok bool) {
		if ok {
			words = append(words, fmt.Sprintf("%s %d", name, v))
		}
	}
	share := func(name string, v uint32, ok bool) {
		if ok {
			words = append(words, fmt.Sprintf("%s %.1f%%", name, 100*float64(v)/math.MaxUint32))
		}
	}
	weight, ok := p.Weight()
	add("weight", weight, ok)
	priority, ok := p.Priority()
	add("priority", priority, ok)
	load, ok := p.Load()
	share("load", load, ok)
	degradation, ok := p.Degradation()
	share("degradation", degradation, ok)
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ", ")
}
