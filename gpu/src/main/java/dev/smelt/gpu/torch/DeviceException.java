package dev.smelt.gpu.torch;

import java.io.Serial;

/** The engine failed in the middle of work: out of device memory, or no convergence. */
public final class DeviceException extends IllegalStateException {

  @Serial private static final long serialVersionUID = 1L;

  DeviceException(String message, Throwable cause) {
    super(message, cause);
  }
}
