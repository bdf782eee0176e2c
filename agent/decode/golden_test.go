// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const (
	basic    = "../../registrar/wire/testdata/rsplib-asap-basic.pcap"
	errs     = "testdata/rsplib-calcapp-errors.pcap"
	takeover = "testdata/rsplib-enrp-takeover.pcap"
)

// Written from what tshark -V says of these frames.
func TestGoldenLines(t *testing.T) {
	const element = `{"pe_identifier":"0x0000aaaa","home_enrp_server_identifier":"0x11111111","registration_life":9000,` +
		`"user_transport":{"type":"sctp","port":7777,"transport_use":"data plus control","addresses":["10.0.0.11"]},` +
		`"member_selection_policy":{"type":"round-robin"}}`
	first := strings.Replace(element, "11111111", "00000000", 1) // the element does not know its home yet
	const up, down = `"source":"10.0.0.11:55677","destination":"10.0.0.1:3863","transport":"sctp","protocol":"ASAP",`,
		`"source":"10.0.0.1:3863","destination":"10.0.0.11:55677","transport":"sctp","protocol":"ASAP",`
	want := []string{
		`{"frame":1,"time":"2026-11-23T07:39:46.524340000Z","source":"10.0.0.1:3863","destination":"239.0.0.50:3863",` +
			`"transport":"udp","protocol":"ASAP","message_type":"ASAP_SERVER_ANNOUNCE","message_flags":"0x00",` +
			`"message_length":8,"server_identifier":"0x11111111","transport_parameters":[]}`,
		`{"frame":7,"time":"2026-11-23T07:39:48.401255000Z",` + up + `"message_type":"ASAP_REGISTRATION",` +
			`"message_flags":"0x00","message_length":56,"pool_handle":"EchoPool","pool_element":` + first + `}`,
		`{"frame":9,"time":"2026-11-23T07:39:48.548689000Z",` + down + `"message_type":"ASAP_REGISTRATION_RESPONSE",` +
			`"message_flags":"0x00","message_length":24,"r_flag":false,"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa"}`,
		`{"frame":13,"time":"2026-11-23T07:39:50.478817000Z",` + down + `"message_type":"ASAP_ENDPOINT_KEEP_ALIVE",` +
			`"message_flags":"0x00","message_length":28,"h_bit":false,"server_identifier":"0x11111111",` +
			`"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa"}`,
		`{"frame":15,"time":"2026-11-23T07:39:50.483067000Z",` + up + ackFields,
		`{"frame":28,"time":"2026-11-23T07:39:53.618607000Z","source":"10.0.0.21:33191","destination":"10.0.0.1:3863",` +
			`"transport":"sctp","protocol":"ASAP","message_type":"ASAP_HANDLE_RESOLUTION","message_flags":"0x00",` +
			`"message_length":24,"s_bit":false,"pool_handle":"EchoPool","items":1}`,
		`{"frame":30,"time":"2026-11-23T07:39:53.622906000Z","source":"10.0.0.1:3863","destination":"10.0.0.21:33191",` +
			`"transport":"sctp","protocol":"ASAP","message_type":"ASAP_HANDLE_RESOLUTION_RESPONSE","message_flags":"0x00",` +
			`"message_length":64,"a_bit":false,"pool_handle":"EchoPool",` +
			`"overall_pe_selection_policy":{"type":"round-robin"},"pool_elements":[` + element + `]}`,
		`{"frame":76,"time":"2026-11-23T07:40:00.453779000Z",` + up + `"message_type":"ASAP_DEREGISTRATION",` +
			`"message_flags":"0x00","message_length":24,"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa"}`,
		`{"frame":78,"time":"2026-11-23T07:40:00.466237000Z",` + down + `"message_type":"ASAP_DEREGISTRATION_RESPONSE",` +
			`"message_flags":"0x00","message_length":24,"pool_handle":"EchoPool","pe_identifier":"0x0000aaaa"}`,
	}
	wantLines(t, basic, want)
}

func TestGoldenErrors(t *testing.T) {
	wantLines(t, errs, []string{
		`{"frame":144,"time":"2026-11-23T07:41:28.056388000Z","source":"10.0.0.1:3863","destination":"10.0.0.21:49385",` +
			`"transport":"sctp","protocol":"ASAP","message_type":"ASAP_HANDLE_RESOLUTION_RESPONSE","message_flags":"0x00",` +
			`"message_length":28,"a_bit":false,"pool_handle":"NoSuchPool",` +
			`"operation_error":[{"cause_code":9,"cause":"unknown pool handle"}]}`,
		`{"frame":162,"time":"2026-11-23T07:41:28.729435000Z","source":"10.0.0.1:3863","destination":"10.0.0.13:39401",` +
			`"transport":"sctp","protocol":"ASAP","message_type":"ASAP_REGISTRATION_RESPONSE","message_flags":"0x01",` +
			`"message_length":36,"r_flag":true,"pool_handle":"CalcAppPool","pe_identifier":"0x000000d3",` +
			`"operation_error":[{"cause_code":5,"cause":"inconsistent pooling policy"}]}`,
	})
}

func TestGoldenENRP(t *testing.T) {
	const head = `"transport":"sctp","protocol":"ENRP",`
	wantLines(t, takeover, []string{
		`{"frame":3,"time":"2026-11-23T07:46:19.267315000Z","source":"10.0.0.3:9901","destination":"10.0.0.1:9901",` + head +
			`"message_type":"ENRP_PRESENCE","message_flags":"0x00","message_length":44,"r_flag":false,` +
			`"sending_servers_id":"0x33333333","receiving_servers_id":"0x00000000","pe_checksum":"0xffff",` +
			`"server_information":{"server_id":"0x33333333","server_transport":` +
			`{"type":"sctp","port":9901,"transport_use":"data only","addresses":["10.0.0.3"]}}}`,
		`{"frame":12,"time":"2026-11-23T07:46:19.344450000Z","source":"10.0.0.1:9901","destination":"10.0.0.3:9901",` + head +
			`"message_type":"ENRP_HANDLE_TABLE_REQUEST","message_flags":"0x00","message_length":12,"w_flag":false,` +
			`"sending_servers_id":"0x11111111","receiving_servers_id":"0x33333333"}`,
		`{"frame":111,"time":"2026-11-23T07:46:24.897552000Z","source":"10.0.0.1:9901","destination":"10.0.0.2:9901",` + head +
			`"message_type":"ENRP_HANDLE_UPDATE","message_flags":"0x00","message_length":84,` +
			`"sending_servers_id":"0x11111111","receiving_servers_id":"0x22222222","update_action":"ADD_PE",` +
			`"pool_handle":"EchoPool","pool_element":{"pe_identifier":"0x00000092",` +
			`"home_enrp_server_identifier":"0x11111111","registration_life":90000,` +
			`"user_transport":{"type":"sctp","port":7777,"transport_use":"data plus control","addresses":["10.0.0.12"]},` +
			`"member_selection_policy":{"type":"round-robin"},` +
			`"asap_transport":{"type":"sctp","port":38133,"transport_use":"data only","addresses":["10.0.0.12"]}}}`,
		`{"frame":188,"time":"2026-11-23T07:46:37.100384000Z","source":"10.0.0.3:9901","destination":"10.0.0.1:9901",` + head +
			`"message_type":"ENRP_INIT_TAKEOVER","message_flags":"0x00","message_length":16,` +
			`"sending_servers_id":"0x33333333","receiving_servers_id":"0x11111111","targeting_servers_id":"0x11111111"}`,
	})
}

// wantLines looks for lines among a capture's.
func wantLines(t *testing.T, file string, want []string) {
	t.Helper()
	got, _ := run(t, readFile(t, file))
	byFrame := map[string]string{}
	for _, line := range got {
		frame, _, _ := strings.Cut(line, ",")
		byFrame[frame] = line
	}
	for _, w := range want {
		frame, _, _ := strings.Cut(w, ",")
		if byFrame[frame] != w {
			t.Errorf("\n got %s\nwant %s", byFrame[frame], w)
		}
	}
}

// The counts are tshark's. It does not look into retransmissions, so these were counted by "sctp.retransmission".
func TestGoldenCounts(t *testing.T) {
	tests := []struct {
		file            string
		frames          int
		retransmissions int
		types           map[string]int
	}{
		{basic, 84, 0, map[string]int{
			"ASAP ASAP_SERVER_ANNOUNCE": 16, "ASAP ASAP_ENDPOINT_KEEP_ALIVE_ACK": 4, "ASAP ASAP_ENDPOINT_KEEP_ALIVE": 4,
			"ASAP ASAP_REGISTRATION_RESPONSE": 4, "ASAP ASAP_REGISTRATION": 4, "ASAP ASAP_HANDLE_RESOLUTION_RESPONSE": 1,
			"ASAP ASAP_HANDLE_RESOLUTION": 1, "ASAP ASAP_DEREGISTRATION_RESPONSE": 1, "ASAP ASAP_DEREGISTRATION": 1,
		}},
		{errs, 219, 0, map[string]int{
			"ASAP ASAP_REGISTRATION": 21, "ASAP ASAP_REGISTRATION_RESPONSE": 21, "ASAP ASAP_SERVER_ANNOUNCE": 20,
			"ASAP ASAP_ENDPOINT_KEEP_ALIVE_ACK": 4, "ASAP ASAP_ENDPOINT_KEEP_ALIVE": 4, "ASAP ASAP_COOKIE": 1,
			"ASAP ASAP_HANDLE_RESOLUTION_RESPONSE": 4, "ASAP ASAP_HANDLE_RESOLUTION": 4,
			"ASAP ASAP_DEREGISTRATION_RESPONSE": 3, "ASAP ASAP_DEREGISTRATION": 3,
		}},
		{takeover, 305, 24, map[string]int{
			"ENRP": 103, "ASAP ASAP_ENDPOINT_KEEP_ALIVE_ACK": 12, "ASAP ASAP_ENDPOINT_KEEP_ALIVE": 12,
			"ASAP ASAP_REGISTRATION_RESPONSE": 4, "ASAP ASAP_REGISTRATION": 4, "ASAP ASAP_DEREGISTRATION": 3,
			"ASAP ASAP_DEREGISTRATION_RESPONSE": 1,
		}},
	}
	kind := regexp.MustCompile(`"protocol":"(\w+)","message_type":"(\w+)"`)
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			lines, sum := run(t, readFile(t, tt.file))
			got, again := map[string]int{}, 0
			for _, line := range lines {
				if strings.Contains(line, `"retransmission":true`) {
					again++
					continue
				}
				if strings.Contains(line, `"protocol":"ENRP"`) {
					got["ENRP"]++
				} else if m := kind.FindStringSubmatch(line); m != nil {
					got[m[1]+" "+m[2]]++
				}
			}
			if !reflect.DeepEqual(got, tt.types) || again != tt.retransmissions {
				t.Errorf("got %v and %d retransmissions", got, again)
			}
			if sum.Frames != tt.frames || sum.Messages != len(lines) || sum.Malformed != 0 {
				t.Errorf("%+v of %d lines", sum, len(lines))
			}
		})
	}
}
