// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"fmt"
)

// Chunk is one of an SCTP packet's (RFC 9260 3.2).
type Chunk struct {
	Type, Flags uint8
	Value       []byte
}

// Types of chunks (RFC 9260 3.2).
const (
	ChunkData         = uint8(0)
	ChunkInit         = uint8(1)
	ChunkInitAck      = uint8(2)
	ChunkSack         = uint8(3)
	ChunkHeartbeat    = uint8(4)
	ChunkHeartbeatAck = uint8(5)
	ChunkAbort        = uint8(6)
	ChunkShutdown     = uint8(7)
	ChunkShutdownAck  = uint8(8)
	ChunkCookieEcho   = uint8(10)
	ChunkCookieAck    = uint8(11)
	ChunkShutdownDone = uint8(14) // SHUTDOWN COMPLETE
)

// NewSCTP is an SCTP packet.
func NewSCTP(src, dst string, tag uint32, chunks ...Chunk) Packet {
	p := New(SCTP, src, dst)
	p.VerificationTag = tag
	for _, c := range chunks {
		p.Payload = append(p.Payload, c.Bytes()...)
	}
	return p
}

// Init is the INIT chunk (RFC 9260 3.3.2) with the tag that the sender wants to see in what it gets, and
// with parameters as they lie in the packet.
func Init(tag uint32, parameters ...byte) Chunk {
	value := binary.BigEndian.AppendUint32(nil, tag)
	value = binary.BigEndian.AppendUint32(value, 65536) // a_rwnd
	value = append(value, 0, 10, 0, 10, 0, 0, 0, 1)     // streams out and in, initial TSN
	return Chunk{Type: ChunkInit, Value: append(value, parameters...)}
}

// InitAck is the INIT ACK chunk (RFC 9260 3.3.3), which is made like an INIT.
func InitAck(tag uint32, parameters ...byte) Chunk {
	c := Init(tag, parameters...)
	c.Type = ChunkInitAck
	return c
}

// Bytes are the chunk's, padded.
func (c Chunk) Bytes() []byte {
	b := binary.BigEndian.AppendUint16([]byte{c.Type, c.Flags}, uint16(4+len(c.Value)))
	b = append(b, c.Value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// Chunks takes an SCTP packet's payload apart.
func Chunks(payload []byte) ([]Chunk, error) {
	var list []Chunk
	for len(payload) > 0 {
		if len(payload) < 4 {
			return list, fmt.Errorf("%d bytes behind chunk %d", len(payload), len(list))
		}
		size := int(binary.BigEndian.Uint16(payload[2:]))
		if size < 4 || size > len(payload) {
			return list, fmt.Errorf("chunk %d of %d bytes, with room for %d", len(list)+1, size, len(payload))
		}
		list = append(list, Chunk{payload[0], payload[1], payload[4:size]})
		payload = payload[min((size+3)&^3, len(payload)):]
	}
	return list, nil
}
