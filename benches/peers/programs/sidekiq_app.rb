# Sidekiq: one N | bulk N | paced N; the worker is Sidekiq's own program, with this file as its application.
require 'sidekiq'

Redis.silence_deprecations = true # Sidekiq 6.4 with redis-rb 4.8 warns on every call
Sidekiq.logger.level = Logger::ERROR
BATCH = 1000
PACE_US = 5_000

# Microseconds of CLOCK_MONOTONIC, which all processes share.
def now = Process.clock_gettime(Process::CLOCK_MONOTONIC, :microsecond)

# About 200 bytes of JSON. `t` is the moment of the call of submit, or 0.
def payload(t = 0) = { 't' => t, 'user' => 123_456, 'kind' => 'noop', 'tags' => %w[a b], 'pad' => 'x' * 130 }

class Noop
  include Sidekiq::Worker

  def perform(data)
    return if data['t'].zero?

    waited = now - data['t']
    File.write(ENV.fetch('LATENCY_FILE'), "#{waited}\n", mode: 'a')
  end
end

def submit(mode, count)
  began = now
  case mode
  when 'one' then count.times { Noop.perform_async(payload) }
  when 'bulk'
    0.step(count - 1, BATCH) do |first|
      args = Array.new([BATCH, count - first].min) { [payload] }
      Sidekiq::Client.push_bulk('class' => Noop, 'args' => args)
    end
  else
    count.times do |i|
      early = began + (i * PACE_US) - now
      sleep(early / 1e6) if early.positive?
      Noop.perform_async(payload(now))
    end
  end
  puts count * 1e6 / (now - began)
end

submit(ARGV[0], ARGV[1].to_i) if $PROGRAM_NAME == __FILE__
