package dev.smelt.gpu.engine;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.util.cuda.CudaUtils;
import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.work.Workers;
import dev.smelt.gpu.engine.DeviceChoice.Kind;
import dev.smelt.gpu.torch.TorchDevice;
import dev.smelt.gpu.torch.TorchEngine;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.util.ArrayList;
import java.util.List;

/** The processor that does the heavy work. Everything made on it dies with it. */
public final class ComputeDevice implements AutoCloseable {

  private static final int NO_GPU = -1;

  private final TorchDevice torch;
  private final EngineInfo info;
  private final int gpu;

  private ComputeDevice(TorchDevice torch, EngineInfo info, int gpu) {
    this.torch = torch;
    this.info = info;
    this.gpu = gpu;
  }

  /**
   * Loads the engine, if it is not loaded yet, and opens a device of it.
   *
   * @param threads threads inside one operator; more than one changes the last digits of results
   * @throws UsageException when a GPU is asked for that is not there
   * @throws StorageException when the native libraries cannot be loaded
   */
  public static ComputeDevice open(DeviceChoice choice, int threads) {
    if (threads < 1) {
      throw new UsageException("cannot compute with " + threads + " threads", "use 1 or more");
    }
    Engine engine = TorchEngine.load(choice.kind() == Kind.GPU, threads);
    int gpus = TorchEngine.gpus(engine);
    EngineInfo info =
        new EngineInfo(
            Engine.getDjlVersion(), engine.getVersion(), TorchEngine.flavour(), gpus, threads);
    int gpu =
        switch (choice.kind()) {
          case CPU -> NO_GPU;
          case AUTO -> gpus > 0 ? 0 : NO_GPU;
          case GPU -> requireGpu(choice, info);
        };
    return new ComputeDevice(TorchDevice.open(engine, gpu, threads), info, gpu);
  }

  private static int requireGpu(DeviceChoice choice, EngineInfo info) {
    if (choice.index() < info.gpus()) {
      return choice.index();
    }
    throw new UsageException(
        "no device " + choice + ": PyTorch " + info.flavour() + " sees " + info.gpus() + " GPUs",
        info.gpus() == 0
            ? "use --device cpu, or point PYTORCH_LIBRARY_PATH at a CUDA build of PyTorch "
                + info.engineVersion()
            : "use gpu:0 to gpu:" + (info.gpus() - 1));
  }

  /** For a person: "CPU, 2 threads" or "GPU 0". */
  public String description() {
    if (isGpu()) {
      return "GPU " + gpu;
    }
    return "CPU, " + info.threads() + (info.threads() == 1 ? " thread" : " threads");
  }

  public boolean isGpu() {
    return gpu != NO_GPU;
  }

  /**
   * Bytes of memory that work on this device may count on: what is free on the GPU, or half of what
   * the machine or its container has.
   */
  public long memoryBytes() {
    if (isGpu()) {
      MemoryUsage usage = CudaUtils.getGpuMemory(Device.gpu(gpu));
      return usage.getMax() - usage.getCommitted();
    }
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize() / 2
        : Runtime.getRuntime().maxMemory();
  }

  public EngineInfo info() {
    return info;
  }

  /** A new workspace; close it to free what was computed in it. */
  public LinearAlgebra linearAlgebra() {
    return new LinearAlgebra(new TorchKernels(torch.scope(), torch.functions()));
  }

  /**
   * Runs jobs that compute on this device, on as many Java threads as it has threads, each with one
   * thread inside an operator. Decompositions of matrices gain little from threads inside them, so
   * two at a time are faster than one after the other; each gives what it gives on one thread. Runs
   * them one by one on a GPU, or where there is only one thread.
   *
   * @param concurrent the most jobs at a time: what memory allows
   */
  public void runAll(List<? extends Workers.Job> jobs, int concurrent) {
    int threads = Math.min(info.threads(), concurrent);
    if (isGpu() || threads == 1) {
      jobs.forEach(Workers.Job::run);
      return;
    }
    try {
      List<Workers.Job> single = new ArrayList<>(jobs.size());
      for (Workers.Job job : jobs) {
        single.add(
            () -> {
              TorchDevice.setThreads(1);
              job.run();
            });
      }
      Workers.run(threads, single);
    } finally {
      TorchDevice.setThreads(info.threads());
    }
  }

  /** The device as the rest of this module sees it. */
  public TorchDevice torch() {
    return torch;
  }

  @Override
  public void close() {
    torch.close();
  }
}
