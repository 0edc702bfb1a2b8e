package dev.smelt.formats.pickle;

import java.util.Optional;

/** The opcodes that are understood, by the names of Python's {@code pickletools}. */
enum Opcode {
  PROTO(0x80),
  FRAME(0x95),
  STOP('.'),
  MARK('('),
  NONE('N'),
  NEWTRUE(0x88),
  NEWFALSE(0x89),
  BININT('J'),
  BININT1('K'),
  BININT2('M'),
  LONG1(0x8a),
  BINFLOAT('G'),
  BINUNICODE('X'),
  SHORT_BINUNICODE(0x8c),
  BINUNICODE8(0x8d),
  BINSTRING('T'),
  SHORT_BINSTRING('U'),
  BINBYTES('B'),
  SHORT_BINBYTES('C'),
  EMPTY_TUPLE(')'),
  TUPLE('t'),
  TUPLE1(0x85),
  TUPLE2(0x86),
  TUPLE3(0x87),
  EMPTY_LIST(']'),
  EMPTY_SET(0x8f),
  APPEND('a'),
  APPENDS('e'),
  ADDITEMS(0x90),
  EMPTY_DICT('}'),
  SETITEM('s'),
  SETITEMS('u'),
  BINPUT('q'),
  LONG_BINPUT('r'),
  MEMOIZE(0x94),
  BINGET('h'),
  LONG_BINGET('j'),
  GLOBAL('c'),
  STACK_GLOBAL(0x93),
  REDUCE('R'),
  NEWOBJ(0x81),
  BUILD('b'),
  BINPERSID('Q');

  private static final Opcode[] BY_CODE = new Opcode[256];

  static {
    for (Opcode opcode : values()) {
      BY_CODE[opcode.code] = opcode;
    }
  }

  private final int code;

  Opcode(int code) {
    this.code = code;
  }

  static Optional<Opcode> of(int code) {
    return Optional.ofNullable(BY_CODE[code]);
  }
}
