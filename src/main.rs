fn main() {
    let options = jobqueue::bench::Options { tasks: 50_000, slots: 512, steady_s: 5, latency_s: 5, folder: Some("/work/scratch".into()) };
    env_logger::init();
    println!("{}", jobqueue::bench::run(&options).unwrap());
}
