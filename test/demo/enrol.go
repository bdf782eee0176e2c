// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/weir-lb/weir/test/traffic"
)

const shareRequests = 840

// enrolCheck: four elements enrol themselves, and clients reach them in the shares of the policy.
func (d *deployment) enrolCheck(ctx context.Context, c *Check) error {
	for i := range servers {
		if err := d.startPE(i); err != nil {
			return err
		}
	}
	took, err := d.awaitActive(ctx, 5*time.Second, allIdentities()...)
	if err != nil {
		return err
	}
	c.expect(true, "4 elements register over TLS-PSK", "%d active after %s", len(d.elements(ctx, "active")), took.Round(time.Millisecond))

	var s traffic.Summary
	if err := d.requests(ctx, &s, shareRequests, 8); err != nil {
		return err
	}
	c.expect(s.Failed == 0 && s.Total() == shareRequests, fmt.Sprintf("%d requests over new connections, no error", shareRequests),
		"%d answered, %d errors %v", s.Total()-s.Failed, s.Failed, s.Errors)
	c.expect(sharesHold(s.Answers), "shares 3:2:1:1 within 4 standard deviations: "+expectedShares(), "%s", shares(s.Answers))
	return nil
}

func (d *deployment) requests(ctx context.Context, s *traffic.Summary, count, parallel int) error {
	return d.traffic(ctx, d.client, s, "requests", "--target", target.String(),
		"--count", fmt.Sprint(count), "--parallel", fmt.Sprint(parallel))
}

// bounds are those of a binomial distribution: the mean, and four standard deviations, beyond which
// chance leads once in 16,000 times.
func bounds(i int) (mean, tolerance float64) {
	total := 0
	for _, w := range weights {
		total += w
	}
	p := float64(weights[i]) / float64(total)
	return shareRequests * p, 4 * math.Sqrt(shareRequests*p*(1-p))
}

func sharesHold(answers map[string]int) bool {
	for i := range servers {
		mean, tolerance := bounds(i)
		if math.Abs(float64(answers[serverName(i)])-mean) > tolerance {
			return false
		}
	}
	return len(answers) == servers
}

func expectedShares() (text string) {
	for i := range servers {
		mean, tolerance := bounds(i)
		text += fmt.Sprintf("%.0f±%.0f ", mean, tolerance)
	}
	return text[:len(text)-1]
}

func shares(answers map[string]int) (text string) {
	for _, name := range sortedKeys(answers) {
		text += fmt.Sprintf("%s %d, ", name, answers[name])
	}
	if text == "" {
		return "no answers"
	}
	return text[:len(text)-2]
}
