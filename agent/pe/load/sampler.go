// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Sampler measures the load once. It is not for concurrent use: some remember the last measurement.
type Sampler func(context.Context) (float64, error)

// maxAnswer is how many bytes of an answer are read: more than any percentage needs.
const maxAnswer = 64

// parsePercent reads what a command or a page says: one number from 0 to 100, with white space around it.
func parsePercent(text string) (float64, error) {
	text = strings.TrimSpace(text)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 100) { // NaN is neither
		return 0, fmt.Errorf("%q is not a number from 0 to 100", text)
	}
	return v / 100, nil
}
