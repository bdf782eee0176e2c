// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"errors"
	"math"
	"testing"
	"time"
)

var errBlind = errors.New("blind")

// fault stands for a failed measurement in the tables.
const fault = -1

func measurement(v float64) (float64, error) {
	if v == fault {
		return 0, errBlind
	}
	return v, nil
}

func TestMeter(t *testing.T) {
	const full = 1
	for _, test := range []struct {
		name    string
		samples []float64
		want    float64
		last    outcome
	}{
		{"the first decides alone", []float64{0.5}, 0.5, measuredWell},
		{"idle", []float64{0}, 0, measuredWell},
		{"the next is four tenths", []float64{0.5, 1}, 0.7, measuredWell},
		{"and the next", []float64{0.5, 1, 1}, 0.82, measuredWell},
		{"one failure keeps it", []float64{0.5, fault}, 0.5, firstFailure},
		{"two failures keep it", []float64{0.5, fault, fault}, 0.5, failedLikeBefore},
		{"three failures are full load", []float64{0.5, fault, fault, fault}, full, countsAsFull},
		{"more of them too", []float64{0.5, fault, fault, fault, fault}, full, failedLikeBefore},
		{"not in a row", []float64{0.5, fault, fault, 0.5, fault, fault}, 0.5, failedLikeBefore},
		{"smoothing goes on after a failure", []float64{0.5, fault, 1}, 0.7, measuredAgain},
		{"it begins anew after full load", []float64{0.5, fault, fault, fault, 0.2}, 0.2, measuredAgain},
		{"the first fails: nothing to keep", []float64{fault}, full, countsAsFull},
		{"it is said once", []float64{fault, fault, fault}, full, failedLikeBefore},
		{"the first fails, the second not", []float64{fault, 0.3}, 0.3, measuredAgain},
	} {
		t.Run(test.name, func(t *testing.T) {
			var m meter
			var last outcome
			for _, s := range test.samples {
				last = m.record(measurement(s))
			}
			if want := math.Round(test.want * math.MaxUint32); math.Abs(float64(m.load())-want) > 1 || last != test.last {
				t.Errorf("load %d, outcome %d, want %.0f, %d", m.load(), last, want, test.last)
			}
			if !m.judged {
				t.Error("not judged")
			}
		})
	}
}

func TestLoadReportIsDue(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const never = time.Duration(-1)
	for _, test := range []struct {
		name      string
		told, now uint32
		counted   bool
		after     time.Duration
	}{
		{"the same", 1000, 1000, false, never},
		{"the same, selections count", 1000, 1000, true, 30 * time.Second},
		{"a little more", 1000, 1001, false, 30 * time.Second},
		{"a little less", 1000, 999, false, 30 * time.Second},
		{"below 5 %", 0, 0x0ccccccb, false, 30 * time.Second},
		{"5 % more", 0, 0x0ccccccc, false, time.Second},
		{"5 % less", 0xffffffff, 0xf3333333, false, time.Second},
		{"all", 0xffffffff, 0, true, time.Second},
	} {
		r := loadReport{test.told, at}
		want := at.Add(test.after)
		if test.after == never {
			want = time.Time{}
		}
		if got := r.due(test.now, test.counted); !got.Equal(want) {
			t.Errorf("%s: due %v, want %v", test.name, got, want)
		}
	}
}
