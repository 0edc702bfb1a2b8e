package dev.smelt.cli.doctor;

import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.EngineInfo;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * A machine as smelt finds it; names of components are stable keys.
 *
 * @param natives the build of libtorch in use
 * @param productGflops rate of f64 matrix products on the device, 10⁹ operations per second
 * @param eigenSeconds for the eigenvectors of a symmetric f64 matrix of order 512
 * @param limits what will be slow, and why
 */
public record MachineReport(
    String smelt,
    String java,
    String system,
    int processors,
    long memoryBytes,
    long heapBytes,
    String djl,
    String pytorch,
    String natives,
    String device,
    int gpus,
    int threads,
    double productGflops,
    double eigenSeconds,
    List<String> limits) {

  private static final int PRODUCT_SIZE = 1024;
  private static final int EIGEN_SIZE = 512;

  /** Long enough for a steady rate, short enough to wait for. */
  private static final double MEASURE_SECONDS = 0.7;

  /** Below it, decomposing one layer of a 7B model takes minutes. */
  private static final double SLOW_GFLOPS = 200;

  /** A layer of a 7B model in f64, with its factors and its error. */
  private static final long SMALL_HEAP = 3L << 30;

  public MachineReport {
    limits = List.copyOf(limits);
  }

  /** Takes about two seconds. */
  public static MachineReport measure(ComputeDevice device, String version) {
    double product;
    double eigen;
    double[] values = new Random(1).doubles((long) PRODUCT_SIZE * PRODUCT_SIZE, -1, 1).toArray();
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      Matrix square = algebra.matrix(PRODUCT_SIZE, PRODUCT_SIZE, values);
      Matrix gram = algebra.gram(algebra.transpose(algebra.leadingColumns(square, EIGEN_SIZE)));
      product = secondsPerRun(() -> algebra.frobenius(algebra.multiply(square, square)));
      eigen = secondsPerRun(() -> algebra.eigh(gram).values()[0]);
    }
    double gflops = 2.0 * PRODUCT_SIZE * PRODUCT_SIZE * PRODUCT_SIZE / product / 1e9;
    EngineInfo engine = device.info();
    Runtime runtime = Runtime.getRuntime();
    return new MachineReport(
        version,
        Runtime.version() + " " + System.getProperty("java.vendor"),
        System.getProperty("os.name") + " " + System.getProperty("os.arch"),
        runtime.availableProcessors(),
        memory(),
        runtime.maxMemory(),
        engine.djlVersion(),
        engine.engineVersion(),
        engine.flavour(),
        device.description(),
        engine.gpus(),
        engine.threads(),
        gflops,
        eigen,
        limits(device, gflops, runtime.maxMemory()));
  }

  private static List<String> limits(ComputeDevice device, double gflops, long heap) {
    List<String> limits = new ArrayList<>();
    if (!device.isGpu()) {
      limits.add("no GPU in use: Fisher information and evaluation run at the speed of the CPU");
    }
    if (device.info().threads() < Runtime.getRuntime().availableProcessors()) {
      limits.add("--threads uses fewer than all processors");
    }
    if (device.info().threads() > 1 && waitsInLoops()) {
      limits.add(
          "threads of PyTorch wait for each other in loops: on a busy machine many times slower;"
              + " start by bin/smelt or set GOMP_SPINCOUNT=1000");
    }
    if (gflops < SLOW_GFLOPS) {
      limits.add(
          String.format(
              Locale.ROOT,
              "products: decomposing a 4096x4096 matrix takes about %.0f s",
              // Gram matrix, eigenvectors at about 9 n³, factors and certificate.
              14 * Math.pow(4096, 3) / (gflops * 1e9)));
    }
    if (heap < SMALL_HEAP) {
      limits.add("java heap: matrices above 8192x8192 may not fit; set JAVA_OPTS=-Xmx4g or more");
    }
    return limits;
  }

  /** OpenMP's own default, which the launcher changes. */
  private static boolean waitsInLoops() {
    return System.getenv("GOMP_SPINCOUNT") == null && System.getenv("OMP_WAIT_POLICY") == null;
  }

  private interface Work {
    double run();
  }

  private static double secondsPerRun(Work work) {
    var _ = work.run();
    long start = System.nanoTime();
    int runs = 0;
    double seconds = 0;
    while (seconds < MEASURE_SECONDS) {
      var _ = work.run();
      runs++;
      seconds = (System.nanoTime() - start) / 1e9;
    }
    return seconds / runs;
  }

  private static long memory() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : 0;
  }
}
